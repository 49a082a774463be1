"""What comes through a socket, and what keeps it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from convex_async import ConvexClient


@pytest.mark.trap(34)
async def test_large_messages_come_through(client: ConvexClient) -> None:
    """The limits of WebSocket libraries, of 1 to 4 MiB, are below what a function may return."""
    large = "x" * (5 * 2**20)
    assert await client.action("notes:echo", {"value": large}) == large


@pytest.mark.trap(35)
async def test_a_socket_that_is_merely_pinged_lives() -> None:
    """Ping frames come from beneath the messages, and a library may swallow them."""

    async def sync(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=0.1)  # pings at that interval
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    async with (
        TestServer(app) as server,
        ConvexClient(str(server.make_url("")), inactivity_timeout=0.3) as client,
    ):
        await client.connect()
        await asyncio.sleep(1)  # three times what it bears without a sign of life
        assert client.state.connection_count == 1
        assert client.state.phase == "connected"
