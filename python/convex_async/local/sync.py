"""One client's WebSocket: moves messages between aiohttp, the protocol and the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from convex_async.codec import decode_client_message, encode_message
from convex_async.errors import RemoteProtocolError
from convex_async.local.context import Identity
from convex_async.local.engine import ActionRun, Engine, MutationRun, QueryRun, read_args
from convex_async.local.faults import Faults
from convex_async.local.outcome import Failure
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.readset import Watch
from convex_async.local.tokens import TokenRefused, Tokens
from convex_async.protocol.messages import (
    ActionResponse,
    MutationResponse,
    Ping,
    ServerMessage,
    StateVersion,
    Transition,
    TransitionChunk,
)
from convex_async.protocol.server import (
    Outcome,
    Raised,
    Returned,
    RunAction,
    RunMutation,
    RunQueries,
    ServerProtocol,
    SubscribedQuery,
    Verify,
    Work,
)

# Seconds. Source for all: convex-backend crates/local_backend/src/subs/mod.rs.
PING_INTERVAL = 5.0
MESSAGE_INTERVAL = 15.0
CLIENT_TIMEOUT = 120.0
# Bytes of a transition over which a client that can put it together gets it in parts.
CHUNK_SIZE = 5_000_000
MAX_MESSAGE_SIZE = 64 * 2**20

# convex-backend crates/errors: the close code of a problem that ends the socket.
_CLOSE_CODES = {"OCC": 1013, "Overloaded": 1013, "RateLimited": 1013, "NotFound": 1000}


class SyncSocket:
    """One socket from the upgrade to its end.

    Args:
        chunks: whether the client can put together a transition that comes in parts.
    """

    def __init__(
        self,
        engine: Engine,
        tokens: Tokens,
        faults: Faults,
        socket: web.WebSocketResponse,
        request: web.Request,
        *,
        chunks: bool,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._faults = faults
        self._socket = socket
        self._request = request
        self._chunks = chunks
        self._protocol = ServerProtocol()
        self._watches: dict[int, Watch] = {}
        self._wake_up = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._skew_next = False
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._last_sent = time.monotonic()

    # Faults

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def freeze(self) -> None:
        """Read and write nothing more."""
        self._thawed.clear()

    def close(self, code: int, reason: str) -> None:
        """Close with a code and a reason."""
        self._protocol.fail(code, reason)
        self._wake_up.set()

    def fatal(self, message: str) -> None:
        """Send a FatalError, and close."""
        self._protocol.fatal(message)
        self._wake_up.set()

    def skew_version(self) -> None:
        """Let the next transition start at a wrong version."""
        self._skew_next = True

    # The socket's life

    async def run(self) -> None:
        """Serve the socket until it ends."""
        self._faults._sockets.add(self)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                others = [group.create_task(self._send()), group.create_task(self._ping())]
                await self._receive()
                for task in [*others, *self._tasks]:
                    task.cancel()
        except* (ConnectionError, RuntimeError):
            pass  # the client is gone
        finally:
            self._faults._sockets.discard(self)
            for watch in self._watches.values():
                watch.cancel()

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._socket.receive(timeout=CLIENT_TIMEOUT)
            except TimeoutError:
                self.close(1000, "ClientDisconnected")
                return
            await self._thawed.wait()
            match message.type:
                case WSMsgType.TEXT:
                    try:
                        decoded = decode_client_message(message.data.encode())
                        self._protocol.received(decoded, now=time.time(), ts=self._engine.latest_ts)
                    except (RemoteProtocolError, ValueError) as error:
                        self._protocol.fatal(f"WSMessageInvalidJson: {error}")
                    self._proceed()
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.BINARY:
                    self.close(1011, "InternalServerError")
                case WSMsgType.CLOSE:
                    await self._socket.close()
                    return
                case _:
                    return

    async def _send(self) -> None:
        while True:
            messages = self._protocol.messages_to_send()
            for message in self._with_faults(messages):
                for part in self._parts(message):
                    await self._write(part)
            if self._protocol.closing is not None:
                closing = self._protocol.closing
                await self._socket.close(
                    code=closing.code or 1000, message=closing.reason.encode()[:123]
                )
                return
            self._start_work()  # a transition may have waited for these to be sent
            await self._wake_up.wait()
            self._wake_up.clear()

    async def _write(self, frame: bytes) -> None:
        await self._thawed.wait()
        if not self._faults.silent:
            self._last_sent = time.monotonic()
            await self._socket.send_frame(frame, WSMsgType.TEXT)

    async def _ping(self) -> None:
        while True:
            await self._thawed.wait()
            if not self._faults.silent:
                await self._socket.ping()
                if time.monotonic() - self._last_sent >= MESSAGE_INTERVAL:
                    await self._write(encode_message(Ping()))
            await asyncio.sleep(PING_INTERVAL)

    def _with_faults(self, messages: list[ServerMessage]) -> list[ServerMessage]:
        answers = (MutationResponse, ActionResponse)
        if self._faults.duplicate_responses:
            messages = [
                m for message in messages for m in [message] * (1 + isinstance(message, answers))
            ]
        if self._faults.transition_first:
            messages = sorted(messages, key=lambda message: isinstance(message, answers))
        if self._skew_next:
            for place, message in enumerate(messages):
                if isinstance(message, Transition):
                    start = message.start_version
                    wrong = StateVersion(start.query_set + 7, start.identity, start.ts)
                    messages[place] = Transition(wrong, message.end_version, message.modifications)
                    self._skew_next = False
                    break
        return messages

    def _parts(self, message: ServerMessage) -> list[bytes]:
        frame = encode_message(message)
        if not self._chunks or not isinstance(message, Transition) or len(frame) <= CHUNK_SIZE:
            return [frame]
        text = frame.decode()
        pieces = [text[at : at + CHUNK_SIZE] for at in range(0, len(text), CHUNK_SIZE)]
        return [
            encode_message(TransitionChunk(piece, number, len(pieces), str(len(frame))))
            for number, piece in enumerate(pieces)
        ]

    # Work

    def _proceed(self) -> None:
        """Start what the protocol wants done, and send what it has to say."""
        self._start_work()
        self._wake_up.set()

    def _start_work(self) -> None:
        for work in self._protocol.work(now=time.time()):
            self._start(self._do(work))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, work: Work) -> None:
        try:
            match work:
                case Verify():
                    self._verify(work)
                case RunMutation():
                    await self._mutate(work)
                case RunAction():
                    await self._act(work)
                case RunQueries():
                    await self._query(work)
        except DeploymentProblem as problem:
            self._protocol.fail(_CLOSE_CODES.get(problem.category, 1011), problem.code)
        self._proceed()

    def _verify(self, work: Verify) -> None:
        message = work.message
        expires_at: float | None = None
        identity: Identity | None = None
        try:
            if self._faults.refuse_auth:
                raise TokenRefused("Unauthenticated: refused by a fault switch")
            if message.token_type == "User":
                identity, expires_at = self._tokens.user(message.value or "")
            elif message.token_type == "Admin":
                identity = self._tokens.admin(message.value or "", bytes(message.impersonating))
        except TokenRefused as refusal:
            self._protocol.refused(str(refusal))
            return
        self._protocol.verified(
            identity, expires_at=expires_at, now=time.time(), ts=self._engine.latest_ts
        )

    async def _mutate(self, work: RunMutation) -> None:
        message, session = work.message, None
        if self._protocol.session_id is not None:
            session = (self._protocol.session_id, message.request_id)
        await self._delay()
        try:
            args = read_args(message.args)
        except (FunctionProblem, ValueError) as problem:
            self._protocol.mutation_done(Raised(str(problem)), None)
            return
        run = await self._engine.mutation(
            message.udf_path, args, identity=_identity(work.identity), session=session
        )
        if run.ts is not None and self._faults.drop_after_commit > 0:
            self._faults.drop_after_commit -= 1
            self.abort()
            return
        self._protocol.mutation_done(_outcome(run), run.ts)

    async def _act(self, work: RunAction) -> None:
        message = work.message
        await self._delay()
        try:
            args = read_args(message.args)
        except (FunctionProblem, ValueError) as problem:
            self._protocol.action_done(message.request_id, Raised(str(problem)))
            return
        run = await self._engine.action(message.udf_path, args, identity=_identity(work.identity))
        self._protocol.action_done(message.request_id, _outcome(run))

    async def _query(self, work: RunQueries) -> None:
        for query_id in work.removed:
            if (watch := self._watches.pop(query_id, None)) is not None:
                watch.cancel()
        if work.queries:
            await self._delay()
        ts = self._engine.store.open_snapshot()
        try:
            outcomes: dict[int, Outcome] = {}
            for query in work.queries:
                outcomes[query.query_id] = await self._run_query(query, work, ts)
            self._protocol.queries_done(ts, outcomes, server_ts=time.time_ns())
        finally:
            self._engine.store.close_snapshot(ts)

    async def _run_query(self, query: SubscribedQuery, work: RunQueries, ts: int) -> Outcome:
        try:
            args = read_args(query.args)
        except (FunctionProblem, ValueError) as problem:
            return Raised(str(problem))
        run = await self._engine.query(
            query.path, args, identity=_identity(work.identity), journal=query.journal, ts=ts
        )
        if (old := self._watches.pop(query.query_id, None)) is not None:
            old.cancel()
        if self._protocol.is_subscribed(query):
            self._watches[query.query_id] = self._engine.watch(
                run.read_set, ts, lambda _: self._invalidated(query)
            )
        return _outcome(run)

    def _invalidated(self, query: SubscribedQuery) -> None:
        if self._protocol.is_subscribed(query):
            self._protocol.invalidated(query.query_id)
            self._proceed()

    async def _delay(self) -> None:
        if self._faults.delay > 0:
            await asyncio.sleep(self._faults.delay)


def _identity(identity: object) -> Identity | None:
    assert identity is None or isinstance(identity, Identity)
    return identity


def _outcome(run: QueryRun | MutationRun | ActionRun) -> Outcome:
    journal = run.journal if isinstance(run, QueryRun) else None
    if isinstance(run.result, Failure):
        return Raised(run.result.message, run.result.data, run.log_lines, journal)
    return Returned(run.result, run.log_lines, journal)
