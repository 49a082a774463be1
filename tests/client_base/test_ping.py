"""`ping` on both clients, and on the blocking ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from convex_async import (
    ConvexClient,
    RemoteProtocolError,
    RequestTimeoutError,
    TransportError,
    sync,
)
from convex_async.http import ConvexHttpClient
from convex_async.local import LocalDeployment
from tests.http.conftest import ScriptedDeployment
from tests.integration.backend import make_functions

both = pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])


@both
async def test_a_deployment_answers(make: Callable[..., Any]) -> None:
    async with LocalDeployment(make_functions()) as deployment, make(deployment.url) as client:
        assert 0 < await client.ping() < 5
        blocking = getattr(sync, make.__name__)(deployment.url)
        assert 0 < await asyncio.to_thread(blocking.ping, timeout=5) < 5
        await asyncio.to_thread(blocking.close)


@both
async def test_nobody_answers(make: Callable[..., Any]) -> None:
    async with make("http://127.0.0.1:9") as client:
        with pytest.raises(TransportError, match="no connection"):
            await client.ping()


@both
async def test_something_else_answers(make: Callable[..., Any]) -> None:
    scripted = ScriptedDeployment()
    await scripted.server.start_server()
    statuses = [404, 302, 503]

    async def respond(request: web.Request) -> web.StreamResponse:
        assert "Authorization" not in request.headers
        return web.Response(status=statuses[0])

    scripted.respond = respond
    async with make(scripted.url, auth="a.b.c") as client:
        for kind in (RemoteProtocolError, RemoteProtocolError, TransportError):
            with pytest.raises(kind, match=f"HTTP status {statuses[0]}"):
                await client.ping()
            statuses.pop(0)
        scripted.respond = lambda request: asyncio.sleep(20)  # type: ignore[assignment, return-value]
        with pytest.raises(RequestTimeoutError):
            await client.ping(timeout=0.05)
    await scripted.server.close()
