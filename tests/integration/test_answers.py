"""Answers at the edges: no value at all, a frame as large as may be, nobody to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from convex_async import CodecError, ConvexClient, TransportError
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.messages import (
    Action,
    Add,
    ModifyQuerySet,
    Mutation,
    QueryUpdated,
    ServerMessage,
)
from tests.protocol.wire import Server, action_succeeded, succeeded, updated

# JSON that is no value of Convex.
BAD = b'{"$integer":"not base64"}'
LARGE = b'"%b"' % (b"x" * (63 * 2**20))


@pytest.fixture
async def scripted() -> AsyncIterator[str]:
    """Answers `bad:…` with what is no value, `large:…` with what just fits a frame, else with 1."""

    def value(path: str) -> bytes:
        return {"bad": BAD, "large": LARGE}.get(path.partition(":")[0], b"1")

    async def sync(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        server, ts, versions = Server(), 0, 0
        async for message in socket:
            answers: list[ServerMessage] = []
            match decode_client_message(message.data.encode()):
                case ModifyQuerySet(new_version=versions, modifications=changes):
                    ts += 1
                    results: list[QueryUpdated] = [
                        updated(change.query_id, value(change.udf_path))
                        for change in changes
                        if isinstance(change, Add)
                    ]
                    answers = [server.transition(*results, ts=ts, query_set=versions)]
                case Mutation(request_id, path):
                    ts += 1
                    answers = [succeeded(request_id, value(path), ts), server.transition(ts=ts)]
                case Action(request_id, path):
                    answers = [action_succeeded(request_id, value(path))]
                case _:
                    pass
            for answer in answers:
                await socket.send_frame(encode_message(answer), WSMsgType.TEXT)
        return socket

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    async with TestServer(app) as server:
        yield str(server.make_url(""))


async def test_a_value_that_cannot_be_read_fails_what_it_answers_and_nothing_else(
    scripted: str,
) -> None:
    async with ConvexClient(scripted, timeout=10, close_timeout=0) as client:
        bad, good = client.subscribe("bad:live"), client.subscribe("good:live")
        assert await anext(good) == 1
        for call in (client.query, client.mutation, client.action):
            with pytest.raises(CodecError, match=r"\$integer") as caught:
                await call("bad:call")
            assert caught.value.__notes__ == ["in what bad:call returned"]
            assert await call("good:call") == 1
        with pytest.raises(CodecError):
            await anext(bad)
        assert await good.get() == 1
        assert client.state.connection_count == 1
        assert client.state.pending_requests == 0


async def test_a_frame_of_almost_64_mebibytes(scripted: str) -> None:
    async with ConvexClient(scripted, timeout=30, close_timeout=0) as client:
        assert await client.query("large:value", type=str) == LARGE[1:-1].decode()
        assert client.state.connection_count == 1


async def test_a_name_that_nobody_has() -> None:
    async with ConvexClient("https://no-such-deployment.invalid") as client:
        with pytest.raises(TransportError, match=r"no-such-deployment\.invalid"):
            await client.connect()
        assert client.state.phase == "disconnected"
        assert "no-such-deployment.invalid" in (client.state.last_close_reason or "")
