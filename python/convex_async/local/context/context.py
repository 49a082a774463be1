"""`ctx`: what a function can reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, Protocol, TypeVar

from convex_async.codec.values import decode, encode_arguments
from convex_async.deployment.url import canonical_path
from convex_async.function_path import FunctionReference
from convex_async.local.context.query import Pages, Query
from convex_async.local.store.files import Files, StorageReader, StorageWriter
from convex_async.local.store.limits import size_of
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

# Source: docs.convex.dev/production/state/limits.
MAX_LOG_LINES = 256
MAX_LOG_LINE_BYTES = 32_768

SCHEDULED = "_scheduled_functions"


@dataclass(frozen=True)
class Identity:
    """Who calls.

    Attributes:
        attributes: the token's claims with `subject`, `issuer` and `tokenIdentifier`; None for an
            admin who acts as nobody.
        is_admin: whether internal functions may be called.
    """

    attributes: Mapping[str, Any] | None = field(default=None, repr=False)
    is_admin: bool = False


# Of what the deployment itself calls: it may call internal functions too.
INTERNAL = Identity(is_admin=True)


class Runs(Protocol):
    """What a context needs of the engine."""

    files: Files

    async def call(
        self, kind: str, path: str, args: bytes, run: Run, transaction: Transaction | None
    ) -> bytes:
        """The result of another function, run for this one."""
        ...

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work` in a transaction of its own, committed."""
        ...


@dataclass
class Run:
    """One run of a function: who called, what it logged, and an action's random numbers."""

    identity: Identity | None
    log_lines: list[str] = field(default_factory=list[str])

    @cached_property
    def random(self) -> Random:
        """Other numbers for each run."""
        return Random()

    def log(self, message: object, level: str) -> None:
        """Note a log line, within the limits."""
        if len(self.log_lines) < MAX_LOG_LINES:
            text = repr(message) if isinstance(message, str) else str(message)
            self.log_lines.append(f"[{level}] {text}"[:MAX_LOG_LINE_BYTES])


class Auth:
    """`ctx.auth`."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    async def get_user_identity(self) -> dict[str, Any] | None:
        """The user's `subject`, `issuer`, `tokenIdentifier` and claims, or None."""
        if self._identity is None or self._identity.attributes is None:
            return None
        return dict(self._identity.attributes)


class DatabaseReader:
    """`ctx.db` of a query."""

    def __init__(self, transaction: Transaction, pages: Pages) -> None:
        self._transaction = transaction
        self._pages = pages

    async def get(self, document_id: str) -> dict[str, Any] | None:
        """The document of this id, or None."""
        return self._transaction.get(document_id)

    def query(self, table: str) -> Query:
        """The documents of a table, by creation time unless told otherwise."""
        return Query(self._transaction, self._pages, table)


class DatabaseWriter(DatabaseReader):
    """`ctx.db` of a mutation."""

    async def insert(self, table: str, fields: Mapping[str, Any]) -> str:
        """Add a document; returns its id."""
        return self._transaction.insert(table, fields)

    async def patch(self, document_id: str, changes: Mapping[str, Any]) -> None:
        """Change some fields; one set to `UNDEFINED` is taken away."""
        self._transaction.patch(document_id, changes)

    async def replace(self, document_id: str, fields: Mapping[str, Any]) -> None:
        """Put other fields in place of all."""
        self._transaction.replace(document_id, fields)

    async def delete(self, document_id: str) -> None:
        """Remove the document."""
        self._transaction.delete(document_id)


class Scheduler:
    """`ctx.scheduler`: jobs are documents; a mutation's are written with its transaction."""

    def __init__(self, runs: Runs, transaction: Transaction | None) -> None:
        self._runs = runs
        self._transaction = transaction

    async def run_after(
        self,
        seconds: float,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action so many seconds after this commit; returns the job's id."""
        return await self.run_at(time.time() + max(seconds, 0.0), path, args)

    async def run_at(
        self,
        timestamp: float,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action at a time, seconds since the epoch; returns the job's id."""
        job = {
            "name": canonical_path(path),
            "args": decode(encode_arguments(args)),
            "scheduledTime": float(timestamp) * 1e3,
            "state": {"kind": "pending"},
        }

        def schedule(transaction: Transaction) -> str:
            transaction.usage.scheduled(size_of(job["args"]))
            return transaction.insert_system(SCHEDULED, job)

        return await self._write(schedule)

    async def cancel(self, job_id: str) -> None:
        """Do not run the job, if it has not begun."""

        def cancel(transaction: Transaction) -> None:
            job = transaction.get(job_id)
            if job is not None and job["state"]["kind"] == "pending":
                ended = {"state": {"kind": "canceled"}, "completedTime": transaction.now}
                transaction.patch(job_id, ended)

        await self._write(cancel)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        if self._transaction is not None:
            return work(self._transaction)
        return await self._runs.transact(work)


class ActionStorage:
    """`ctx.storage` of an action: each call is a transaction of its own."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def generate_upload_url(self) -> str:
        """A URL to which one file can be posted, for an hour."""
        return self._runs.files.make_upload_url()

    async def get_url(self, storage_id: str) -> str | None:
        """Where the file can be fetched; None if there is none."""
        return await self._runs.transact(lambda t: self._writer(t).url(storage_id))

    async def get_metadata(self, storage_id: str) -> dict[str, Any] | None:
        """What is known of a file, or None."""
        return await self._runs.transact(lambda t: self._writer(t).metadata(storage_id))

    async def delete(self, storage_id: str) -> None:
        """Remove a file."""
        await self._runs.transact(lambda t: self._writer(t).remove(storage_id))

    def _writer(self, transaction: Transaction) -> StorageWriter:
        return StorageWriter(self._runs.files, transaction)


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
