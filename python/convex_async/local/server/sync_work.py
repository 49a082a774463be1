"""The work of one client's socket: what its protocol asks for, done by the engine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from msgspec import Raw

from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.runner import read_args
from convex_async.local.problems import DeploymentProblem, FunctionProblem, internal_problem
from convex_async.local.server.faults import Faults
from convex_async.local.server.origins import FOREIGN
from convex_async.local.server.pacing import Pace
from convex_async.local.transactions.outcome import ActionRun, Failure, MutationRun, QueryRun
from convex_async.local.transactions.watches import Watch
from convex_async.protocol.results import Failed, FunctionResult, Succeeded
from convex_async.protocol.server.server_protocol import ServerProtocol
from convex_async.protocol.server.work import (
    RunAction,
    RunMutation,
    RunQueries,
    SubscribedQuery,
    Verify,
    Work,
)

# Seconds that one mutation may take (convex-backend crates/sync: SYNC_WORKER_PROCESS_TIMEOUT).
MUTATION_TIMEOUT = 60.0

_logger = logging.getLogger("convex_async.local")


class SyncWork:
    """Does the work of one socket, and tells its protocol what came of it.

    Args:
        proceed: called when the protocol may have something to send or to be done.
        abort: cuts the connection.
        takes_admin: whether an admin key counts here.
    """

    def __init__(
        self,
        engine: Engine,
        tokens: Tokens,
        faults: Faults,
        protocol: ServerProtocol[Caller],
        proceed: Callable[[], None],
        abort: Callable[[], None],
        *,
        takes_admin: bool,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._faults = faults
        self._protocol = protocol
        self._proceed = proceed
        self._abort = abort
        self._takes_admin = takes_admin
        self._watches: dict[int, Watch] = {}

    def close(self) -> None:
        """Watch nothing any more."""
        for watch in self._watches.values():
            watch.cancel()

    async def do(self, work: Work[Caller]) -> None:
        """Do a piece of work; a problem that is no function's ends the socket."""
        try:
            match work:
                case Verify():
                    await self._verify(work)
                case RunMutation():
                    await self._mutate(work)
                case RunAction():
                    await self._act(work)
                case RunQueries():
                    await self._query(work)
        except DeploymentProblem as problem:
            self._end(problem)
        except Exception:
            _logger.exception("a local deployment's own error, which ends the socket")
            self._end(internal_problem("see the log"))
        self._proceed()

    def _end(self, problem: DeploymentProblem) -> None:
        """End the socket as the problem's category wants it.

        Source: convex-backend crates/local_backend/src/subs/mod.rs, run_sync_socket.
        """
        code = problem.close_code
        if problem.category in ("BadRequest", "Forbidden"):
            reason = "" if code is None else problem.code
            self._protocol.fatal(str(problem), code, reason)
        elif problem.category == "OutOfRetention":
            self._protocol.fail(1013, "InternalServerError")
        else:
            self._protocol.fail(1011 if code is None else code, problem.code)

    async def _verify(self, work: Verify) -> None:
        message = work.message
        expires_at: float | None = None
        identity: Caller | None = None
        try:
            if self._faults.refuse_auth:
                raise TokenRefused("Unauthenticated", "refused by a fault switch")
            if message.token_type == "User":
                identity, expires_at = await self._tokens.user(message.value or "")
            elif message.token_type == "Admin" and not self._takes_admin:
                raise TokenRefused("ForeignOrigin", FOREIGN)
            elif message.token_type == "Admin":
                acting_as = bytes(message.impersonating) or bytes(message.acting_as)
                identity = self._tokens.admin(message.value or "", acting_as)
        except TokenRefused as refusal:
            if refusal.category == "BadRequest":
                self._protocol.fatal(f"Received Invalid JSON on websocket: {refusal}")
            else:
                self._protocol.refused(str(refusal))
            return
        self._protocol.verified(
            identity, expires_at=expires_at, now=time.time(), ts=self._engine.latest_ts
        )

    async def _mutate(self, work: RunMutation[Caller]) -> None:
        message, session = work.message, None
        if self._protocol.session_id is not None:
            session = (self._protocol.session_id, message.request_id)
        await self._delay()
        try:
            args = _args(message.args, message.component_path, work.identity)
        except (FunctionProblem, ValueError) as problem:
            self._protocol.mutation_done(Failed(str(problem)), None)
            return
        try:
            async with asyncio.timeout(MUTATION_TIMEOUT):
                run = await self._engine.mutation(
                    message.udf_path,
                    args,
                    identity=work.identity,
                    session=session,
                    finish=lambda _: self._protocol.mutation_commits(),
                )
        except TimeoutError:
            raise internal_problem("a mutation took too long") from None
        if run.ts is not None and self._faults.drop_after_commit > 0:
            self._faults.drop_after_commit -= 1
            self._abort()
            return
        self._protocol.mutation_done(_result(run), run.ts)

    async def _act(self, work: RunAction[Caller]) -> None:
        message = work.message
        await self._delay()
        try:
            args = _args(message.args, message.component_path, work.identity)
        except (FunctionProblem, ValueError) as problem:
            self._protocol.action_done(message.request_id, Failed(str(problem)))
            return
        run = await self._engine.action(message.udf_path, args, identity=work.identity)
        self._protocol.action_done(message.request_id, _result(run))

    async def _query(self, work: RunQueries[Caller]) -> None:
        for query_id in work.removed:
            if (watch := self._watches.pop(query_id, None)) is not None:
                watch.cancel()
        if work.queries:
            await self._delay()
        ts = self._engine.store.open_snapshot()
        try:
            results: dict[int, FunctionResult] = {}
            journals: dict[int, str | None] = {}
            pace = Pace()
            for query in self._protocol.snapshot_opened():
                result, journal = await self._run_query(query, work, ts)
                results[query.query_id], journals[query.query_id] = result, journal
                await pace.rest()
            self._protocol.queries_done(ts, results, journals, server_ts=time.time_ns())
        finally:
            self._engine.store.close_snapshot(ts)

    async def _run_query(
        self, query: SubscribedQuery, work: RunQueries[Caller], ts: int
    ) -> tuple[FunctionResult, str | None]:
        try:
            args = _args(query.args, query.component_path, work.identity)
        except (FunctionProblem, ValueError) as problem:
            return Failed(str(problem)), None
        run = await self._engine.query(
            query.path,
            args,
            identity=work.identity,
            journal=query.journal,
            ts=ts,
            is_rerun=query.query_id in self._watches,
        )
        if (old := self._watches.pop(query.query_id, None)) is not None:
            old.cancel()
        if self._protocol.is_subscribed(query):
            self._watches[query.query_id] = self._engine.watch(
                run.read_set, ts, lambda _: self._invalidated(query)
            )
        return _result(run), run.journal

    def _invalidated(self, query: SubscribedQuery) -> None:
        if self._protocol.is_subscribed(query):
            self._protocol.invalidated(query.query_id)
            self._proceed()

    async def _delay(self) -> None:
        if self._faults.delay > 0:
            await asyncio.sleep(self._faults.delay)


def _args(raw: Raw, component_path: str | None, identity: Caller | None) -> bytes:
    """The arguments of a call, which is to the root component, as there are no others.

    Raises:
        FunctionProblem, ValueError: they are no array of one object, or of no component.
        DeploymentProblem: only admins may name another component.
    """
    if component_path:
        if identity is None or not identity.is_admin:
            raise internal_problem("only admins can call functions of components directly")
        raise FunctionProblem(f"Component {component_path!r} does not exist on this deployment")
    return read_args(bytes(raw) or b"null")


def _result(run: QueryRun | MutationRun | ActionRun) -> FunctionResult:
    if isinstance(run.result, Failure):
        return Failed(run.result.message, run.result.data, run.log_lines)
    return Succeeded(run.result, run.log_lines)
