"""One client's WebSocket: moves messages between aiohttp and the protocol, and keeps time."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from convex_async.errors import RemoteProtocolError
from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import Tokens
from convex_async.local.engine.engine import Engine
from convex_async.local.server.faults import Faults
from convex_async.local.server.faulty_wire import FaultyWire
from convex_async.local.server.pacing import Pace
from convex_async.local.server.sync_work import SyncWork
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.messages import Ping
from convex_async.protocol.server.server_protocol import ServerProtocol
from convex_async.protocol.server.work import Close

# Seconds. Source for all: convex-backend crates/local_backend/src/subs/mod.rs, and for the
# messages crates/sync/src/worker.rs.
PING_INTERVAL = 5.0
MESSAGE_INTERVAL = 15.0
CLIENT_TIMEOUT = 120.0
# The close code of a socket whose server ends (RFC 6455, 7.4.1).
GOING_AWAY = 1001
# Seconds that a client has to answer a close frame.
CLOSE_TIMEOUT = 1.0
# Bytes of a frame from a client (tungstenite, which the server uses: max_frame_size). A message in
# several frames may have 64 MiB there; aiohttp has one limit for both, and clients send one frame.
MAX_MESSAGE_SIZE = 16 * 2**20
# Bytes of the reason in a close frame (RFC 6455 section 5.5).
MAX_CLOSE_REASON = 123


class SyncSocket:
    """One socket from the upgrade to its end.

    Args:
        chunks: whether the client can put together a transition that comes in parts.
        takes_admin: whether an admin key counts here.
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
        takes_admin: bool,
    ) -> None:
        self._engine = engine
        self._faults = faults
        self._socket = socket
        self._request = request
        self._sockets = faults.sockets
        self._protocol: ServerProtocol[Caller] = ServerProtocol()
        self._wire = FaultyWire(
            faults, chunks=chunks, schedule_transition=self._protocol.schedule_transition
        )
        self._work = SyncWork(
            engine,
            tokens,
            faults,
            self._protocol,
            self._proceed,
            self.abort,
            takes_admin=takes_admin,
        )
        self._wake_up = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._is_draining = False
        self._ended = asyncio.Event()
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
        self._wire.skew_version()

    def expire_token(self) -> None:
        """Take the client's token for expired."""
        self._protocol.expire_token()
        self._proceed()

    # The socket's life

    async def drain(self) -> None:
        """Finish the mutations and actions that have begun, begin no other, and close."""
        self._is_draining = True
        self._close_if_drained()
        await self._ended.wait()

    def _close_if_drained(self) -> None:
        if self._is_draining and not self._tasks:
            self.close(GOING_AWAY, "")

    async def run(self) -> None:
        """Serve the socket until it ends."""
        self._sockets.add(self)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                others = [group.create_task(self._send()), group.create_task(self._ping())]
                await self._receive()
                for task in [*others, *self._tasks]:
                    task.cancel()
        except* ConnectionError:
            pass  # the client is gone
        finally:
            self._sockets.discard(self)
            self._ended.set()
            self._work.close()

    async def _receive(self) -> None:
        pace = Pace()
        while True:
            await pace.rest()  # `receive` does not while messages are there
            try:
                message = await self._socket.receive(timeout=CLIENT_TIMEOUT)
            except TimeoutError:
                if self._protocol.closing is not None:
                    self.abort()  # it does not even take the close frame
                self.close(1000, "ClientDisconnected")
                continue
            await self._thawed.wait()
            match message.type:
                case WSMsgType.TEXT:
                    try:
                        decoded = decode_client_message(message.data.encode())
                    except RemoteProtocolError as error:
                        self._protocol.fatal(f"Received Invalid JSON on websocket: {error}")
                    else:
                        await pace.rest()
                        self._protocol.received(decoded, now=time.time(), ts=self._engine.latest_ts)
                    self._proceed()
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.BINARY:
                    self.close(1011, "InternalServerError")
                case WSMsgType.CLOSE:
                    if self._protocol.closing is None:
                        await self._socket.close()
                    elif self._request.transport is not None:
                        self._request.transport.close()  # or aiohttp sends a second close frame
                    return
                case _:
                    return

    async def _send(self) -> None:
        while True:
            for frame in self._wire.frames(self._protocol.messages_to_send()):
                await self._write(frame)
            if self._protocol.closing is not None:
                await self._close(self._protocol.closing)
                return
            self._start_work()  # a transition may have waited for these to be sent
            await self._wake_up.wait()
            self._wake_up.clear()

    async def _close(self, closing: Close) -> None:
        """Send a close frame; the client's answer to it ends `_receive`, and so this.

        aiohttp's own close has no frame without a status, and reads in `_receive`'s place.
        """
        payload = b""
        if closing.code is not None:
            reason = closing.reason.encode()[:MAX_CLOSE_REASON]
            payload = struct.pack("!H", closing.code) + reason
        await self._socket.send_frame(payload, WSMsgType.CLOSE)
        await asyncio.sleep(CLOSE_TIMEOUT)
        self.abort()

    async def _write(self, frame: bytes) -> None:
        await self._thawed.wait()
        if not self._faults.silent:
            self._last_sent = time.monotonic()
            await self._socket.send_frame(frame, WSMsgType.TEXT)

    async def _ping(self) -> None:
        """Send ping frames, and Ping messages when no other message was sent for long."""
        frame_due = time.monotonic()
        while True:
            await self._thawed.wait()
            if self._faults.silent:
                await asyncio.sleep(PING_INTERVAL)
                continue
            now = time.monotonic()
            if now >= frame_due:
                frame_due = now + PING_INTERVAL
                await self._socket.ping()
            if now >= self._last_sent + MESSAGE_INTERVAL:
                await self._write(encode_message(Ping()))
            message_due = self._last_sent + MESSAGE_INTERVAL
            await asyncio.sleep(max(min(frame_due, message_due) - time.monotonic(), 0.0))

    # Work

    def _proceed(self) -> None:
        """Start what the protocol wants done, and send what it has to say."""
        self._start_work()
        self._wake_up.set()

    def _start_work(self) -> None:
        if self._is_draining:
            return
        for work in self._protocol.work(now=time.time()):
            self._start(self._work.do(work))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._close_if_drained()
