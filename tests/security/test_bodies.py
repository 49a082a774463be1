"""Bodies: bounded in bytes and in time, and kept as they were sent."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from convex_async.local import deployment as deployment_module
from convex_async.local.server import incoming
from tests.integration.backend import make_functions

BOMB = gzip.compress(b" " * 200_000_000, 9)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_an_upload_is_kept_as_it_was_sent(session: aiohttp.ClientSession) -> None:
    functions = make_functions()

    @functions.mutation("files:url")
    async def url(ctx: Any) -> Any:
        return await ctx.storage.generate_upload_url()

    async with LocalDeployment(functions) as deployment, ConvexClient(deployment.url) as client:
        upload = await client.mutation("files:url")
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
        async with session.post(upload, data=BOMB, headers=headers) as response:
            assert response.status == 200
        (document,) = deployment.tables["_storage"]
        assert document["size"] == len(BOMB)


@pytest.mark.parametrize("route", ["query", "mutation", "query_batch", "run/a/b"])
async def test_a_bomb_is_a_bad_request(
    deployment: LocalDeployment, session: aiohttp.ClientSession, route: str
) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    url = f"{deployment.url}/api/{route}"
    async with session.post(url, data=BOMB, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["message"] == "length limit exceeded"


async def test_a_packed_call_is_unpacked_and_another_encoding_is_told(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    call = b'{"path":"notes:list","args":{}}'
    url = f"{deployment.url}/api/query"
    for encoding, data, status in (
        ("gzip", gzip.compress(call), 200),
        ("deflate", zlib.compress(call), 200),
        ("gzip", call, 400),
        ("br", call, 400),
    ):
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        async with session.post(url, data=data, headers=headers) as response:
            assert response.status == status, encoding


async def test_a_body_for_an_http_action_is_bounded(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    async with session.post(f"{deployment.url}/echo", data=b"x" * 1000) as response:
        assert await response.read() == b"x" * 1000


HALVES = {
    "nothing": b"",
    "half a head": b"POST /api/query HTTP/1.1\r\nHost: loc",
    "half a body": b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
    b"Content-Type: application/json\r\n\r\n{",
    "half an upload": b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    "half a second head": b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\nGET /vers",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
async def test_an_idle_connection_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    for module in (incoming, deployment_module):
        monkeypatch.setattr(module, "IDLE_TIMEOUT", 0.1)
    monkeypatch.setattr(deployment_module, "LINGERING", 0.1)
    async with LocalDeployment(make_functions()) as deployment:
        for url in (deployment.url, deployment.site_url):
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(5):
                await reader.read()  # to the end
            writer.close()
