"""Runs functions on the store: queries on a snapshot, mutations as transactions, actions freely."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from convex_async.codec.values import decode, encode
from convex_async.errors import CodecError, ConvexError
from convex_async.local.auth.identity import Identity
from convex_async.local.context.context import ActionContext, MutationContext, QueryContext
from convex_async.local.context.cursors import Pages
from convex_async.local.context.runs import Run
from convex_async.local.definitions.functions import Function, Functions, Kind
from convex_async.local.definitions.http_actions import Request, Response
from convex_async.local.definitions.validators import ValidationError, check_fields
from convex_async.local.engine.permits import Permits
from convex_async.local.engine.python_functions import describe
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.store.documents import Commit
from convex_async.local.store.durable import Durable
from convex_async.local.store.files import Files
from convex_async.local.store.limits import check_arguments, check_result
from convex_async.local.store.store import Store
from convex_async.local.transactions.committer import Committer, Session
from convex_async.local.transactions.outcome import ActionRun, Failure, MutationRun, QueryRun
from convex_async.local.transactions.readset import ReadSet
from convex_async.local.transactions.transaction import Conflict, Transaction
from convex_async.local.transactions.watches import Watch, Watches

T = TypeVar("T")

# Times that a conflicting mutation is tried again (convex-backend crates/application).
CONFLICT_RETRIES = 4


class Engine:
    """One deployment's functions and data.

    Args:
        path: the SQLite file; None keeps everything in memory.
        redact: hide errors and log lines from clients, as production deployments do.
    """

    def __init__(self, functions: Functions, *, path: Path | None, redact: bool = False) -> None:
        self.functions = functions
        self.files = Files(None if path is None else path.with_name(f"{path.name}-files"))
        self._redact = redact
        self._durable = None if path is None else Durable(path)
        last = 0 if self._durable is None else self._durable.latest_ts()
        self.store = Store(functions.schema, first_ts=max(time.time_ns(), last + 1))
        self._watches = Watches()
        self._rng = random.Random()
        self._permits = Permits()
        self.on_commit: list[Callable[[Commit], None]] = [self.files.committed]
        if self._durable is not None:
            self.store.table_numbers.update(self._durable.table_numbers())
            for document in self._durable.documents():
                self.store.load(document, last)
        self._committer = Committer(self.store, self._durable, self._publish)

    @property
    def latest_ts(self) -> int:
        """The timestamp of the last commit, ns since the epoch."""
        return self.store.latest_ts

    async def close(self) -> None:
        """Finish the commit under way, close the file."""
        await self._committer.close()
        if self._durable is not None:
            self._durable.close()
        self.files.close()

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
        identity: Identity | None,
        journal: str | None = None,
        ts: int | None = None,
    ) -> QueryRun:
        """Run a query at the latest state, or on a snapshot that is open at `ts`."""
        run = Run(identity)
        # The same numbers each time: a query without other changes has the same result.
        seed = f"{path}\0".encode() + args
        transaction = self._begin(writable=False, seed=seed, at=ts)
        try:
            pages = Pages(journal)
            result = await self._attempt("query", path, args, run, transaction, pages)
            return QueryRun(
                result,
                self._shown(run),
                pages.made,
                transaction.read_set,
                transaction.ts,
            )
        except ConvexError as error:  # the journal is of another query
            failure = self._failure(error)
            return QueryRun(failure, [], None, transaction.read_set, transaction.ts)
        finally:
            transaction.close()

    async def mutation(
        self,
        path: str,
        args: bytes,
        *,
        identity: Identity | None,
        session: Session | None = None,
        finish: Callable[[Transaction], None] | None = None,
    ) -> MutationRun:
        """Run a mutation, and commit what it wrote if it succeeds.

        Args:
            finish: to be done in the same transaction, once the mutation succeeded.
            session: session id and request id; a request that was committed before is not run
                again, but answered as it was then.

        Raises:
            DeploymentProblem: it conflicted with others too often.
        """
        for _ in range(CONFLICT_RETRIES + 1):
            if (answer := self._committer.answer(session)) is not None:
                return answer
            run = Run(identity)
            transaction = self._begin(writable=True)
            try:
                result = await self._attempt("mutation", path, args, run, transaction, Pages(None))
                log_lines = self._shown(run)
                if isinstance(result, Failure):
                    return MutationRun(result, log_lines, None)
                if finish is not None:
                    finish(transaction)
                return await self._committer.commit(transaction, result, log_lines, session)
            except Conflict:
                continue
            finally:
                transaction.close()
        raise _conflicted(path)

    async def action(self, path: str, args: bytes, *, identity: Identity | None) -> ActionRun:
        """Run an action."""
        run = Run(identity)
        result = await self._attempt("action", path, args, run, None, None)
        return ActionRun(result, self._shown(run))

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work` in a transaction of its own, committed.

        Raises:
            DeploymentProblem: it conflicted with others too often.
        """
        for _ in range(CONFLICT_RETRIES + 1):
            transaction = self._begin(writable=True)
            try:
                result = work(transaction)
                await self._committer.commit(transaction, b"null", [], None)
                return result
            except Conflict:
                continue
            finally:
                transaction.close()
        raise _conflicted("The scheduler")

    async def http_action(
        self, handler: Callable[..., Any], request: Request, identity: Identity | None
    ) -> Response | Failure:
        """Answer a request by an HTTP action."""
        try:
            async with self._permits.running("action"):
                answer = handler(ActionContext(Run(identity), self), request)
                if inspect.isawaitable(answer):
                    answer = await answer
            if not isinstance(answer, Response):
                raise FunctionProblem(f"an HTTP action answers a Response, not {answer!r}")
            return answer
        except DeploymentProblem:
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._failure(error)
        except BaseException as error:
            return self._failure(error)

    # How

    def _begin(
        self, *, writable: bool, seed: bytes | None = None, at: int | None = None
    ) -> Transaction:
        now = time.time_ns() // 1000 / 1000
        return Transaction(self.store, now=now, writable=writable, rng=self._rng, seed=seed, at=at)

    def _publish(self, commit: Commit) -> None:
        self._watches.notify(commit)
        for notify in self.on_commit:
            notify(commit)

    async def _attempt(
        self,
        kind: Kind,
        path: str,
        args: bytes,
        run: Run,
        transaction: Transaction | None,
        pages: Pages | None,
    ) -> bytes | Failure:
        """Run a public call; whatever the function does wrong is its failure."""
        try:
            function = self._find(kind, path, run, is_inner=False)
            async with self._permits.running(kind):
                return await self._invoke(function, args, run, transaction, pages)
        except (Conflict, DeploymentProblem):
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._failure(error)
        except BaseException as error:
            return self._failure(error)

    async def call(
        self, kind: str, path: str, args: bytes, run: Run, transaction: Transaction | None
    ) -> bytes:
        """A call from one function to another (`context.Runs`)."""
        function = self._find(kind, path, run, is_inner=True)
        if transaction is not None:
            savepoint = transaction.savepoint()
            try:
                return await self._invoke(function, args, run, transaction, Pages(None))
            except BaseException:
                transaction.rollback_to(savepoint)
                raise
        inner: QueryRun | MutationRun | ActionRun
        match function.kind:
            case "query":
                admin = Identity(run.identity.attributes if run.identity else None, is_admin=True)
                inner = await self.query(path, args, identity=admin)
            case "mutation":
                admin = Identity(run.identity.attributes if run.identity else None, is_admin=True)
                inner = await self.mutation(path, args, identity=admin)
            case "action":
                return await self._invoke(function, args, run, None, None)
        run.log_lines += inner.log_lines
        if isinstance(inner.result, Failure):
            if inner.result.data is not None:
                raise ConvexError(decode(inner.result.data))
            raise FunctionProblem(inner.result.message)
        return inner.result

    def _find(self, kind: str, path: str, run: Run, *, is_inner: bool) -> Function:
        try:
            function = self.functions.get(path)
        except ValueError as error:
            raise FunctionProblem(str(error)) from None
        may_see = is_inner or (run.identity is not None and run.identity.is_admin)
        if function is None or (function.is_internal and not may_see):
            raise FunctionProblem(
                f"Could not find {'' if may_see else 'public '}function for '{path}'. "
                "Is it registered with this deployment's Functions?"
            )
        if function.kind != kind:
            raise FunctionProblem(
                f"Trying to execute {path} as {kind.title()}, but it is defined as "
                f"{function.kind.title()}."
            )
        return function

    async def _invoke(
        self,
        function: Function,
        args: bytes,
        run: Run,
        transaction: Transaction | None,
        pages: Pages | None,
    ) -> bytes:
        """Check the arguments, run the handler, check the result."""
        arguments = decode(args, root="args")
        check_arguments(function.path, args, arguments)
        if function.args is not None:
            try:
                check_fields(function.args, arguments, self.store.is_id)
            except ValidationError as error:
                raise FunctionProblem(f"ArgumentValidationError: {error}") from None
        context: QueryContext | MutationContext | ActionContext
        match function.kind:
            case "query":
                assert transaction is not None
                context = QueryContext(run, self, transaction, pages or Pages(None))
            case "mutation":
                assert transaction is not None
                context = MutationContext(run, self, transaction, pages or Pages(None))
            case "action":
                context = ActionContext(run, self)
        try:
            inspect.signature(function.handler).bind(context, **arguments)
        except TypeError as error:
            raise FunctionProblem(f"ArgumentValidationError: {error}") from None
        result = function.handler(context, **arguments)
        if inspect.isawaitable(result):
            result = await result
        wire = encode(result, root="result")
        check_result(function.path, wire)
        if function.returns is not None:
            try:
                function.returns.check(decode(wire), self.store.is_id)
            except ValidationError as error:
                raise FunctionProblem(f"ReturnsValidationError: {error}") from None
        return wire

    def _shown(self, run: Run) -> list[str]:
        return [] if self._redact else run.log_lines

    def _failure(self, error: BaseException) -> Failure:
        """The failure that clients are told of, as production or as development shows it."""
        data = None
        if isinstance(error, ConvexError):
            try:
                data = encode(error.data, root="data")
            except CodecError as bad:
                error = bad
        text = f"[Request ID: {self._rng.getrandbits(64):016x}] Server Error"
        if not self._redact:
            text += "\n" + describe(error)
        return Failure(text, data)


def _is_cancelled() -> bool:
    """Whether a CancelledError is for the caller, and no function's own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _conflicted(name: str) -> DeploymentProblem:
    return DeploymentProblem(
        "OCC",
        "OptimisticConcurrencyControlFailure",
        f"{name} changed documents that other mutations changed at the same time, "
        f"{CONFLICT_RETRIES + 1} times",
    )
