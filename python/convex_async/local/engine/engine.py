"""Runs functions on the store: queries on a snapshot, mutations as transactions, actions freely."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from convex_async.errors import ConvexError
from convex_async.local.auth.identity import Caller
from convex_async.local.clock import WallClock
from convex_async.local.context.cursors import Pages
from convex_async.local.context.runs import Invocation, Run
from convex_async.local.definitions.functions import Declaration, FunctionKind
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.engine.calls import FunctionCall
from convex_async.local.engine.loading import load, note_swap
from convex_async.local.engine.python_functions import failure_of
from convex_async.local.engine.retries import retried
from convex_async.local.engine.runner import Runner
from convex_async.local.engine.runtime import Runtime
from convex_async.local.engine.runtimes import Runtimes
from convex_async.local.problems import FunctionFailed
from convex_async.local.store.durable import Durable
from convex_async.local.store.files import Files
from convex_async.local.store.secrets import Secrets
from convex_async.local.store.store import Store
from convex_async.local.transactions.committer import Committer, Session
from convex_async.local.transactions.outcome import ActionRun, Failure, MutationRun, QueryRun
from convex_async.local.transactions.readset import ReadSet
from convex_async.local.transactions.transaction import Transaction
from convex_async.local.transactions.turns import Turn, Turns
from convex_async.local.transactions.watches import Watch, Watches

T = TypeVar("T")


class Engine:
    """One deployment's functions and data.

    Args:
        runtimes: who runs its functions; each path is of one of them.
        path: the SQLite file; None keeps everything in memory.
        redact: hide errors and log lines from clients, as production deployments do.
        calls: where each call is noted; None to note none.

    Attributes:
        runtimes: those of now.
        secrets: kept with the data.
        on_commit: called with each commit, once it is in the store.
        on_swap: awaited after each swap, before the old runtime is closed.

    Raises:
        ValueError: two runtimes declare the same, or the schema refuses a document of the file.
        OSError: the file can't be opened, or is open in another deployment.
    """

    def __init__(
        self,
        *runtimes: Runtime,
        path: Path | None,
        redact: bool = False,
        calls: list[FunctionCall] | None = None,
    ) -> None:
        self.clock: WallClock = WallClock()
        self._calls = calls
        self.runtimes: Runtimes = Runtimes(*runtimes)
        self._durable = None if path is None else Durable(path)
        self.secrets: Secrets = Secrets() if self._durable is None else self._durable.secrets()
        folder = None if path is None else path.with_name(f"{path.name}-files")
        self.files: Files = Files(folder, self.secrets.get("uploads"))
        last = 0 if self._durable is None else self._durable.latest_ts()
        self.store: Store = Store(self.runtimes.schema, first_ts=max(time.time_ns(), last + 1))
        self._watches = Watches()
        self._rng = random.Random()
        self._runner = Runner(
            self, lambda: self.runtimes, self.store.table_of_id, self._rng, redact=redact
        )
        self.on_swap: list[Callable[[], Awaitable[None]]] = []
        if self._durable is not None:
            try:
                load(self.store, self._durable, last)
            except BaseException:
                self._durable.close()
                self.files.close()
                raise
        self._turns = Turns()
        self._committer = Committer(self.store, self._durable, self._turns)
        self.on_commit = self._committer.listeners
        self.on_commit += [self._watches.notify, self.files.committed]

    @property
    def latest_ts(self) -> int:
        """The timestamp of the last commit, ns since the epoch."""
        return self.store.latest_ts

    @property
    def is_durable(self) -> bool:
        """Whether commits wait for a file."""
        return self._durable is not None

    async def close(self) -> None:
        """Finish the commit under way, close the runtimes and the file."""
        for runtime in self.runtimes.all:
            await runtime.close()
        await self._committer.close()
        if self._durable is not None:
            self._durable.close()
        self.files.close()

    async def swap(self, old: Runtime, new: Runtime) -> None:
        """Put a runtime in place of another, in one step, and close the old one.

        Live queries run again with the new functions; mutations under way begin anew.

        Raises:
            ValueError: the new one declares what another does, or its schema refuses a document
                that is there; then nothing has changed.
        """
        runtimes = self.runtimes.swapped(old, new)
        self.store.use_schema(runtimes.schema)
        self.runtimes = runtimes
        await self.transact(note_swap)
        for notify in self.on_swap:
            await notify()
        await old.close()

    def declaration(self, path: str) -> Declaration | None:
        """What is known of a function, or None (`context.Runs`)."""
        return self.runtimes.get(path)

    def watch(self, read_set: ReadSet, since: int, on_invalid: Callable[[int], None]) -> Watch:
        """Call `on_invalid` once with the timestamp of the first commit that touches the reads.

        Args:
            since: the timestamp of the reads, whose snapshot is still open, or the latest.
        """
        watch = self._watches.add(read_set, on_invalid)
        for commit in self.store.commits_since(since):
            if read_set.overlaps(commit):
                watch.cancel()
                asyncio.get_running_loop().call_soon(on_invalid, commit.ts)
                break
        return watch

    async def query(
        self,
        path: str,
        args: bytes,
        *,
        identity: Caller | None,
        journal: str | None = None,
        ts: int | None = None,
        is_rerun: bool = False,
    ) -> QueryRun:
        """Run a query at the latest state, or on a snapshot that is open at `ts`.

        Args:
            is_rerun: whether it runs again only because what it read changed.
        """
        if not is_rerun:
            self._note("query", path, args)
        run = Run(identity)
        # The same numbers each time: a query without other changes has the same result.
        seed = f"{path}\0".encode() + args
        transaction = self._begin(writable=False, seed=seed, at=ts)
        transaction.read_set.add_modules()
        try:
            pages = Pages(journal)
            result = await self._runner.attempt("query", path, args, run, transaction, pages)
            return QueryRun(
                result,
                self._runner.shown(run),
                pages.made,
                transaction.read_set,
                transaction.ts,
            )
        except ConvexError as error:  # the journal is of another query
            failure = self._runner.failure(failure_of(error))
            return QueryRun(failure, [], None, transaction.read_set, transaction.ts)
        finally:
            transaction.close()

    async def mutation(
        self,
        path: str,
        args: bytes,
        *,
        identity: Caller | None,
        session: Session | None = None,
        job_id: str | None = None,
        begin: Callable[[Transaction], None] | None = None,
        finish: Callable[[Transaction], None] | None = None,
    ) -> MutationRun:
        """Run a mutation, and commit what it wrote if it succeeds.

        Args:
            job_id: of the scheduled job that it is or is part of.
            begin: to be done in the same transaction, before the mutation.
            finish: to be done in the same transaction, once the mutation succeeded.
            session: session id and request id; a request that was committed before is not run
                again, but answered as it was then.

        Raises:
            DeploymentProblem: it conflicted with others too often.
        """
        if (answer := self._committer.answer(session)) is not None:
            return answer
        self._note("mutation", path, args)

        async def attempt(turn: Turn) -> MutationRun:
            if (answer := self._committer.answer(session)) is not None:
                return answer
            run = Run(identity, job_id)
            transaction = self._begin(writable=True)
            transaction.read_set.add_modules()
            try:
                if begin is not None:
                    begin(transaction)
                result = await self._runner.attempt(
                    "mutation", path, args, run, transaction, Pages(None)
                )
                log_lines = self._runner.shown(run)
                if isinstance(result, Failure):
                    return MutationRun(result, log_lines, None)
                if finish is not None:
                    finish(transaction)
                return await self._committer.commit(transaction, result, log_lines, session, turn)
            finally:
                transaction.close()

        return await retried(path, self._turns, attempt)

    async def action(
        self, path: str, args: bytes, *, identity: Caller | None, job_id: str | None = None
    ) -> ActionRun:
        """Run an action; `job_id` as for mutations."""
        self._note("action", path, args)
        run = Run(identity, job_id)
        result = await self._runner.attempt("action", path, args, run, None, Pages(None))
        return ActionRun(result, self._runner.shown(run))

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work` in a transaction of its own, committed.

        Raises:
            DeploymentProblem: it conflicted with others too often.
        """

        async def attempt(turn: Turn) -> T:
            transaction = self._begin(writable=True)
            try:
                result = work(transaction)
                await self._committer.commit(transaction, b"null", [], None, turn)
                return result
            finally:
                transaction.close()

        return await retried("The scheduler", self._turns, attempt)

    async def http_action(
        self,
        runtime: Runtime,
        route: object,
        request: Request,
        identity: Caller | None,
        send: Callable[[Response], Awaitable[T]],
    ) -> T | Failure:
        """Answer a request by an HTTP action, of `runtimes.find_route`.

        Args:
            send: sends the answer. The action still runs meanwhile, as its body may be made then.
        """
        return await self._runner.http_action(runtime, route, request, Run(identity), send)

    async def call(self, kind: str, path: str, args: bytes, caller: Invocation) -> bytes:
        """A call from one function to another (`context.Runs`)."""
        run, transaction = caller.run, caller.transaction
        runtime, function = self._runner.find(kind, path, run, is_inner=True)
        if transaction is not None:
            return await self._runner.nested(runtime, function, args, caller, transaction)
        if function.kind == "action":
            return await self._runner.invoke(runtime, function, args, run, None, Pages(None))
        admin = Caller(run.identity.attributes if run.identity else None, is_admin=True)
        inner: QueryRun | MutationRun
        if function.kind == "query":
            inner = await self.query(path, args, identity=admin)
        else:
            inner = await self.mutation(path, args, identity=admin, job_id=run.job_id)
        for line in inner.log_lines:
            run.log_line(line)
        if isinstance(inner.result, Failure):
            raise FunctionFailed(inner.result.text, inner.result.data)
        return inner.result

    def _note(self, kind: FunctionKind, path: str, args: bytes) -> None:
        if self._calls is not None:
            self._calls.append(FunctionCall(kind, path, args))

    def _begin(
        self, *, writable: bool, seed: bytes | None = None, at: int | None = None
    ) -> Transaction:
        now = int(self.clock.time() * 1e6) / 1000
        return Transaction(self.store, now=now, writable=writable, rng=self._rng, seed=seed, at=at)
