"""`ctx`: what a function can reach."""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import Random
from typing import Any, TypeVar

from convex_async.codec.values import decode, encode_arguments
from convex_async.function_path import FunctionReference
from convex_async.local.auth.identity import Identity
from convex_async.local.context.cursors import Pages
from convex_async.local.context.database import DatabaseReader, DatabaseWriter
from convex_async.local.context.runs import Run, Runs
from convex_async.local.context.scheduler import Scheduler
from convex_async.local.context.storage import ActionStorage, StorageReader, StorageWriter
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")


class Auth:
    """`ctx.auth`."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    async def get_user_identity(self) -> dict[str, Any] | None:
        """The user's `subject`, `issuer`, `tokenIdentifier` and claims, or None."""
        if self._identity is None or self._identity.attributes is None:
            return None
        return dict(self._identity.attributes)


class Context:
    """What every function gets as its first argument.

    Attributes:
        now: when the run began, ms since the epoch; in queries and mutations, time stands still.
        auth: who calls.
    """

    def __init__(self, run: Run, runs: Runs, transaction: Transaction | None) -> None:
        self.now = time.time() * 1e3 if transaction is None else transaction.now
        self.auth = Auth(run.identity)
        self._run = run
        self._runs = runs
        self._transaction = transaction

    @property
    def random(self) -> Random:
        """Random numbers, the same in each run of a query with the same arguments."""
        if self._transaction is not None:
            return self._transaction.random
        return self._run.random

    def log(self, message: object, level: str = "LOG") -> None:
        """Add a line to the function's log, which clients in debug mode are shown."""
        self._run.log(message, level)

    async def run_query(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """The value of another query; in a mutation or query, of the same transaction."""
        return await self._call("query", path, args)

    async def _call(
        self, kind: str, path: str | FunctionReference, args: Mapping[str, Any] | None
    ) -> Any:
        wire = encode_arguments(args)
        return decode(await self._runs.call(kind, str(path), wire, self._run, self._transaction))


class QueryContext(Context):
    """`ctx` of a query."""

    def __init__(self, run: Run, runs: Runs, transaction: Transaction, pages: Pages) -> None:
        super().__init__(run, runs, transaction)
        self.db = DatabaseReader(transaction, pages)
        self.storage = StorageReader(runs.files, transaction)


class MutationContext(Context):
    """`ctx` of a mutation."""

    def __init__(self, run: Run, runs: Runs, transaction: Transaction, pages: Pages) -> None:
        super().__init__(run, runs, transaction)
        self.db = DatabaseWriter(transaction, pages)
        self.scheduler = Scheduler(runs, transaction)
        self.storage = StorageWriter(runs.files, transaction)

    async def run_mutation(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """Run another mutation within this transaction; if it raises, its writes are undone."""
        return await self._call("mutation", path, args)


class ActionContext(Context):
    """`ctx` of an action."""

    def __init__(self, run: Run, runs: Runs) -> None:
        super().__init__(run, runs, None)
        self.scheduler = Scheduler(runs, None)
        self.storage = ActionStorage(runs)

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
