"""The calls of a worker: what each function is given of what it takes."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from convex_async.errors import FunctionError
from convex_async.function_path import FunctionReference

# Source: convex-js and convex-backend say it so (crates/isolate, ArgumentValidationError).
_EXTRA_FIELD = re.compile(r"Object contains extra field `(\w+)` that is not in the validator")


class WorkerClient(Protocol):
    """What a worker needs of a client; a bound one will do."""

    def subscribe(self, path: str | FunctionReference, /) -> Any: ...

    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any],
        /,
        *,
        type: Any = None,
        timeout: float | None,
    ) -> Coroutine[Any, Any, Any]: ...


class JobCalls:
    """Runs a worker's mutations without a time limit, each exactly once.

    An argument that a function's validator does not know is left out from then on. A production
    deployment does not tell of it, so that functions there should take all arguments.
    """

    def __init__(self, client: WorkerClient) -> None:
        self._client = client
        self._left_out: dict[str, set[str]] = {}

    async def __call__(
        self, path: str | FunctionReference, args: Mapping[str, Any], type: Any = None
    ) -> Any:
        """Run a mutation.

        Raises:
            CodecError: a part of the arguments is no Convex value.
            ConvexClientError: as `ConvexClient.mutation`.
        """
        left_out = self._left_out.setdefault(str(path), set())
        while True:
            taken = {name: value for name, value in args.items() if name not in left_out}
            try:
                return await self._client.mutation(path, taken, type=type, timeout=None)
            except FunctionError as error:
                found = _EXTRA_FIELD.search(error.message)
                if found is None or found[1] not in taken:
                    raise
                left_out.add(found[1])
