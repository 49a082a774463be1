"""Calls that stand on the calls: with details, with bound arguments, in batches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from convex_async.calls import Verb
from convex_async.client_base.signatures import Calls
from convex_async.function_path import FunctionPath, FunctionReference

if TYPE_CHECKING:
    from convex_async.client.bound import BoundClient
    from convex_async.client.details import Notes, WithDetails

# Bytes of a batch: half of what Convex takes as arguments of one call.
MAX_BATCH_BYTES = 8 * 2**20


class MoreCalls(Calls):
    """What the client offers beyond one call of one function."""

    @abstractmethod
    def _noted(
        self,
        kind: str,
        path: FunctionPath,
        args: bytes,
        type: Any,
        timeout: float | None,
        notes: Notes | None,
    ) -> Coroutine[Any, Any, Any]:
        """The value of a call, of which more is noted."""

    @property
    def with_details(self) -> WithDetails:
        """The calls `query`, `mutation` and `action`, giving `Details`: the value, what the
        function logged, the id by which the deployment's logs know the run, times."""
        from convex_async.client.details import WithDetails

        def noted(
            kind: Verb,
            path: str | FunctionReference,
            args: Mapping[str, Any] | None,
            type: Any,
            timeout: float | EllipsisType | None,
            notes: Notes,
        ) -> Coroutine[Any, Any, Any]:
            limit = None if kind == "action" and timeout is ... else self._limit(timeout)
            return self._noted(kind, *self._reading.call(kind, path, args, type), limit, notes)

        return WithDetails(noted)

    def bind(self, **args: Any) -> BoundClient:
        """A view whose calls all have these arguments too, such as a service's secret."""
        from convex_async.client.bound import BoundClient

        return BoundClient(self, args)

    def mutation_batches(
        self,
        path: str | FunctionReference,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        key: str,
        args: Mapping[str, Any] | None = None,
        max_items: int = 1000,
        max_bytes: int = MAX_BATCH_BYTES,
        in_flight: int = 4,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncGenerator[Any, None]:
        """Write many rows by few mutations; an async iterator of their results, in order.

        Each batch is one mutation, which is applied once. Rows are pulled as their batches can be
        sent, so that any number of them needs the memory of a few batches. Use it as `async for`;
        leaving early withdraws what was not sent.

        Args:
            path: of a mutation that takes a list of rows.
            rows: Convex values, from any iterable.
            key: the name of the argument that has them.
            args: the other arguments.
            max_items, max_bytes: of a batch; Convex takes 8192 items and 16 MiB.
            in_flight: batches that are sent before the first is answered. They run in order; with
                more than one, those that follow a failed one have run, or run still.
            type: of a result.
            timeout: seconds for each batch.

        Raises:
            CodecError, ValueError, TypeError: bad arguments, path or options, when this is
                called; a row that is no Convex value, when its batch is made.
            BatchError: a batch failed; no further one is sent.
        """
        from convex_async.client.batches import Batches, written

        if in_flight < 1:
            raise ValueError(f"in_flight is a number of batches, at least 1, not {in_flight}")
        limit = self._limit(timeout)
        function, _, made = self._reading.call("mutation", path, None, type)
        batches = Batches(
            self._reading, key=key, args=args or {}, max_items=max_items, max_bytes=max_bytes
        )

        def send(wire: bytes) -> Coroutine[Any, Any, Any]:
            return self._noted("mutation", function, wire, made, limit, None)

        return written(send, batches.of(rows), in_flight)
