"""A server that sends rubbish costs a socket, never the client: it backs off, and works later."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from convex_async import ConvexClient, RequestTimeoutError

LIMIT = 100_000  # bytes of a frame that the client takes

Attack = Callable[[web.WebSocketResponse], Awaitable[None]]


def sending(*frames: bytes | dict[str, object], kind: WSMsgType = WSMsgType.TEXT) -> Attack:
    async def attack(socket: web.WebSocketResponse) -> None:
        for frame in frames:
            data = frame if isinstance(frame, bytes) else msgspec.json.encode(frame)
            await socket.send_frame(data, kind)

    return attack


async def endless_parts(socket: web.WebSocketResponse) -> None:
    part = {"type": "TransitionChunk", "chunk": "x" * 10_000, "totalParts": 10**9}
    for number in range(100):
        await sending({**part, "partNumber": number, "transitionId": "9"})(socket)


async def empty_parts(socket: web.WebSocketResponse) -> None:
    """Each costs the client more than its own bytes, and they never come to an end."""
    part = {"type": "TransitionChunk", "chunk": "", "totalParts": 10_000}
    for number in range(1_000):
        await sending({**part, "partNumber": number, "transitionId": "9"})(socket)


async def too_many_parts(socket: web.WebSocketResponse) -> None:
    part = {"type": "TransitionChunk", "chunk": "x", "totalParts": 10**6}
    for number in range(1_000):
        await sending({**part, "partNumber": number, "transitionId": "9"})(socket)


START = {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}

ATTACKS: dict[str, Attack] = {
    "deep JSON": sending(b"[" * 50_000),
    "deep value": sending(b'{"type":"Transition","modifications":' + b"[" * 90_000),
    "wrong types": sending({"type": "Transition", "startVersion": 1, "endVersion": "x"}),
    "a wrong version": sending(
        {"type": "Transition", "startVersion": START, "endVersion": {}, "modifications": []}
    ),
    "unknown message": sending({"type": "Surprise"}),
    "no type": sending({}),
    "invalid UTF-8": sending(b'{"type":"\xff\xfe"}'),
    "binary": sending(b"{}", kind=WSMsgType.BINARY),
    "endless parts": endless_parts,
    "empty parts": empty_parts,
    "too many parts": too_many_parts,
    "a frame too large": sending(b'{"type":"Ping"}' + b" " * LIMIT),
    "a compressed bomb": sending(b" " * 30_000_000),
    "random bytes": sending(random.Random(1).randbytes(1000)),
}


class Hostile:
    """Attacks each socket while `attack` is set, and counts them; then waits for the end."""

    def __init__(self) -> None:
        self.attack: Attack | None = None
        self.sockets = 0
        app = web.Application()
        app.router.add_get("/api/sync", self._serve)
        self.server = TestServer(app)

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        self.sockets += 1
        if self.attack is not None:
            try:
                await self.attack(socket)
            except ConnectionError:  # the client had enough
                return socket
        async for message in socket:
            said = msgspec.json.decode(message.data)
            if said["type"] == "Action":
                answer = {"type": "ActionResponse", "requestId": said["requestId"]}
                await sending({**answer, "success": True, "result": 1, "logLines": []})(socket)
        return socket


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_the_client_outlives_it(attack: Attack, caplog: pytest.LogCaptureFixture) -> None:
    hostile = Hostile()
    hostile.attack = attack
    await hostile.server.start_server(access_log=None)
    client = ConvexClient(
        str(hostile.server.make_url("")), compress=True, max_message_size=LIMIT, close_timeout=0
    )
    async with client:
        tracemalloc.start()
        waiting = asyncio.ensure_future(client.query("a:b", timeout=0.3))
        async for state in client.states():
            if state.phase == "disconnected":
                break
        with pytest.raises(RequestTimeoutError):
            await waiting
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert hostile.sockets == 1, "it did not back off"
        assert client.state.last_close_reason
        hostile.attack = None
        await client.connect()
        assert await client.action("a:b", timeout=5) == 1.0
    await hostile.server.close()
    assert peak < 40 * LIMIT
    assert "unexpected" not in caplog.text
