"""`ctx`: what a function can reach."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from convex_async.codec.values import decode, encode_arguments
from convex_async.errors import ConvexError
from convex_async.function_path import FunctionReference
from convex_async.local.auth.identity import Caller
from convex_async.local.context.database import DatabaseReader, DatabaseWriter
from convex_async.local.context.runs import Invocation
from convex_async.local.context.scheduler import Scheduler
from convex_async.local.context.storage import ActionStorage, StorageReader, StorageWriter
from convex_async.local.problems import FunctionFailed, FunctionProblem


def identity_of(caller: Caller | None) -> dict[str, Any] | None:
    """What a function is told of its caller. May raise as `Auth.get_user_identity`."""
    if caller is None:
        return None
    if caller.refusal is not None:
        raise FunctionProblem(caller.refusal)
    return None if caller.attributes is None else dict(caller.attributes)


class Auth:
    """`ctx.auth`."""

    def __init__(self, identity: Caller | None) -> None:
        self._identity = identity

    async def get_user_identity(self) -> dict[str, Any] | None:
        """The user's `subject`, `issuer`, `tokenIdentifier` and claims, or None.

        Raises:
            FunctionProblem: in an HTTP action, the request's `Authorization` is not one that this
                deployment takes.
        """
        return identity_of(self._identity)


class Context:
    """What every function gets as its first argument.

    Attributes:
        now: when the run began, ms since the epoch; in queries and mutations, time stands still.
        auth: who calls.
    """

    def __init__(self, invocation: Invocation) -> None:
        transaction = invocation.transaction
        self.now: float = (
            invocation.engine.clock.time() * 1e3 if transaction is None else transaction.now
        )
        self.auth: Auth = Auth(invocation.run.identity)
        self._invocation = invocation

    @property
    def random(self) -> Random:
        """Random numbers, the same in each run of a query with the same arguments."""
        transaction = self._invocation.transaction
        return self._invocation.run.random if transaction is None else transaction.random

    def log(self, message: object, level: str = "LOG") -> None:
        """Add a line to the function's log, which clients in debug mode are shown."""
        self._invocation.run.log(message, level)

    async def run_query(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """The value of another query; in a mutation or query, of the same transaction."""
        return await self._call("query", path, args)

    async def _call(
        self, kind: str, path: str | FunctionReference, args: Mapping[str, Any] | None
    ) -> Any:
        wire = encode_arguments(args)
        try:
            return decode(
                await self._invocation.engine.call(kind, str(path), wire, self._invocation)
            )
        except FunctionFailed as failed:
            if (cause := failed.__cause__) is not None:
                raise cause from cause.__cause__  # in Python and of this run: as it was raised
            if failed.data is not None:
                raise ConvexError(failed.text, decode(failed.data)) from None
            raise FunctionProblem(failed.text) from None


class QueryContext(Context):
    """`ctx` of a query."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        transaction = invocation.transaction
        assert transaction is not None
        self.db: DatabaseReader = DatabaseReader(transaction, invocation.pages)
        self.storage: StorageReader = StorageReader(invocation.engine.files, transaction)


class MutationContext(Context):
    """`ctx` of a mutation."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        transaction = invocation.transaction
        assert transaction is not None
        self.db: DatabaseWriter = DatabaseWriter(transaction, invocation.pages)
        self.scheduler: Scheduler = Scheduler(invocation)
        self.storage: StorageWriter = StorageWriter(invocation.engine.files, transaction)

    async def run_mutation(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """Run another mutation within this transaction; if it raises, its writes are undone."""
        return await self._call("mutation", path, args)


class ActionContext(Context):
    """`ctx` of an action."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        self.scheduler: Scheduler = Scheduler(invocation)
        self.storage: ActionStorage = ActionStorage(invocation.engine)

    async def run_mutation(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a mutation, in a transaction of its own."""
        return await self._call("mutation", path, args)

    async def run_action(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """Run another action."""
        return await self._call("action", path, args)
