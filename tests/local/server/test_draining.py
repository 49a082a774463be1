"""A deployment that is drained finishes what has begun, and begins nothing new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from convex_async.local import Functions, LocalDeployment
from convex_async.local.problems import DeploymentProblem
from convex_async.local.server.draining import OpenRequests
from tests.local.calls import until
from tests.local.wire import Wire, connected, mutation


class Backend:
    """A mutation that waits until it is let go."""

    def __init__(self) -> None:
        self.functions = Functions()
        self.begun: list[str] = []
        self.may_go_on = asyncio.Event()

        @self.functions.mutation("notes:add")
        async def add(ctx: Any, text: str) -> None:
            self.begun.append(text)
            await self.may_go_on.wait()
            await ctx.db.insert("notes", {"text": text})


@pytest.fixture
async def backend() -> Backend:
    return Backend()


@pytest.fixture
async def deployment(backend: Backend) -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(backend.functions) as deployment:
        yield deployment


@pytest.fixture
async def wire(deployment: LocalDeployment) -> AsyncIterator[Wire]:
    async with connected(deployment) as wire:
        yield wire


async def test_a_socket_is_closed_when_what_it_began_is_answered(
    backend: Backend, deployment: LocalDeployment, wire: Wire
) -> None:
    await wire.send(mutation(0, "notes:add", text="a"), mutation(1, "notes:add", text="b"))
    await until(lambda: backend.begun == ["a"])
    sockets: list[Any] = []
    deployment.faults.sockets.each(sockets.append)
    draining = asyncio.create_task(deployment.drain())
    await until(lambda: sockets[0]._is_draining)
    backend.may_go_on.set()
    response = await wire.receive()
    assert (response["requestId"], response["success"]) == (0, True)
    assert await wire.closed() == (1001, "")
    await wire.socket.close()
    await draining
    assert backend.begun == ["a"]


async def test_a_kept_connection_is_refused_new_requests(
    backend: Backend, deployment: LocalDeployment
) -> None:
    body = {"path": "notes:add", "args": {"text": "a"}}
    url = f"{deployment.url}/api/mutation"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{deployment.url}/version") as response:
            assert response.status == 200  # this connection is kept
        waiting = asyncio.create_task(session.post(url, json=body))
        await until(lambda: backend.begun == ["a"])
        async with session.get(f"{deployment.url}/version"):
            pass  # and so is this one
        draining = asyncio.create_task(deployment.drain())
        await until(lambda: deployment._requests._refuses)
        async with session.post(url, json=body) as response:
            assert response.status == 503
            assert (await response.json())["code"] == "ServiceUnavailable"
        backend.may_go_on.set()
        async with await waiting as response:
            assert (await response.json())["status"] == "success"
        await draining
    assert backend.begun == ["a"]


async def test_what_does_not_end_is_cut(backend: Backend, deployment: LocalDeployment) -> None:
    with suppress(aiohttp.ClientConnectionResetError):  # the socket is not closed in order
        async with connected(deployment) as wire:
            await wire.send(mutation(0, "notes:add", text="a"))
            await until(lambda: backend.begun == ["a"])
            async with asyncio.timeout(2):
                await deployment.drain(timeout=0.01)
    assert deployment.faults.connections == 0
    with pytest.raises(RuntimeError, match="not running"):
        _ = deployment.url


async def test_draining_waits_for_the_last_request_and_takes_no_other() -> None:
    requests, go_on = OpenRequests(), asyncio.Event()
    request = make_mocked_request("GET", "/")

    async def handler(_: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(text="done")

    answer = asyncio.create_task(requests.answer(request, handler))
    await asyncio.sleep(0)
    drained = asyncio.create_task(requests.drain())
    await asyncio.sleep(0)
    assert not drained.done()
    with pytest.raises(DeploymentProblem, match="shutting down"):
        await requests.answer(request, handler)
    go_on.set()
    assert (await answer).status == 200
    await drained
