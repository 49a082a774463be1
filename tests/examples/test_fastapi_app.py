"""The FastAPI example under uvicorn, with real HTTP clients, some of which leave mid-stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture
async def deployment(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalDeployment]:
    from examples.fastapi_app.backend import functions

    async with LocalDeployment(functions) as deployment:
        monkeypatch.setenv("CONVEX_URL", deployment.url)
        yield deployment


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # it has no event for this
        assert not serving.done(), "uvicorn did not start"
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_calls_run_as_the_requests_user(deployment: LocalDeployment) -> None:
    from examples.fastapi_app.app import app

    async with running(app) as url, httpx.AsyncClient(base_url=url) as http:
        assert (await http.get("/tasks")).json() == []
        for name in ("ada", "grace"):
            headers = {"Authorization": f"Bearer {deployment.issue_token(name)}"}
            created = await http.post("/tasks", json={"text": "a"}, headers=headers)
            assert created.status_code == 201
        await http.post("/tasks", json={"text": "a"})
        owners = [task["owner"] for task in (await http.get("/tasks")).json()]
        assert owners == ["ada", "grace", "anonymous"]
        refused = await http.post("/tasks", json={"text": ""})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "EMPTY")
        bad = await http.get("/tasks", headers={"Authorization": "Bearer not.a.token"})
        assert bad.status_code == 401


async def test_browsers_that_leave_leak_nothing(deployment: LocalDeployment) -> None:
    from examples.fastapi_app.app import app

    async with running(app) as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        await http.get("/tasks")  # all that is lazy has begun
        live: ConvexClient = app.state.live
        await live.connect()
        before = len(asyncio.all_tasks())
        for round_number in range(3):
            async with asyncio.TaskGroup() as group:
                for _ in range(10):
                    group.create_task(watch_a_little(url))
            await http.post("/tasks", json={"text": f"after round {round_number}"})
        async with asyncio.timeout(10):
            # uvicorn tells nobody when it has noticed that a browser is gone.
            while len(asyncio.all_tasks()) > before or subscriber_count(live):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def watch_a_little(url: str) -> None:
    """A browser: opens the stream, sees one state, and is gone."""
    async with (
        httpx.AsyncClient(base_url=url, timeout=10) as http,
        http.stream("GET", "/tasks/live") as response,
    ):
        assert response.headers["Content-Type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                assert isinstance(json.loads(line.removeprefix("data: ")), list)
                return


async def test_a_live_query_follows_the_data(deployment: LocalDeployment) -> None:
    from examples.fastapi_app.app import app

    async with (
        running(app) as url,
        httpx.AsyncClient(base_url=url, timeout=10) as http,
        http.stream("GET", "/tasks/live") as response,
    ):
        lines = response.aiter_lines()
        assert await next_state(lines) == []
        await deployment.run("tasks:create", {"text": "live"})
        assert [task["text"] for task in await next_state(lines)] == ["live"]


async def next_state(lines: AsyncIterator[str]) -> Any:
    async for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended")


def subscriber_count(client: ConvexClient) -> int:
    return client._driver.subscribers
