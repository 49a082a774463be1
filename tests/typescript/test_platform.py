"""Files, HTTP actions, crons and the scheduler of a folder in TypeScript."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import LocalDeployment


async def test_files(client: ConvexClient) -> None:
    storage_id = await client.action("files:store", {"text": "contents"})
    assert await client.action("files:read", {"id": storage_id}) == {
        "text": "contents",
        "type": "text/plain",
    }
    about = await client.query("files:about", {"id": storage_id})
    assert about["size"] == 8
    assert about["contentType"] == "text/plain"
    url = await client.query("files:url", {"id": storage_id})
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.text() == "contents"
    await client.mutation("files:remove", {"id": storage_id})
    assert await client.action("files:read", {"id": storage_id}) is None


async def test_an_upload(client: ConvexClient) -> None:
    url = await client.mutation("files:uploadUrl")
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=b"\x00\xff", headers={"Content-Type": "image/png"}) as response,
    ):
        storage_id = (await response.json())["storageId"]
    assert (await client.query("files:about", {"id": storage_id}))["size"] == 2


async def test_http_actions(client: ConvexClient, deployment: LocalDeployment) -> None:
    async with aiohttp.ClientSession(deployment.site_url) as session:
        async with session.post("/tasks", json={"text": "by HTTP"}) as response:
            assert response.status == 201
            assert response.headers["X-Kind"] == "task"
            task_id = (await response.json())["id"]
        assert (await client.query("tasks:get", {"id": task_id}))["text"] == "by HTTP"
        async with session.get("/echo/a/b?q=1&q=2") as response:
            assert response.headers["Content-Type"] == "text/plain"
            assert await response.text() == "/echo/a/b 1+2"
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        async with session.head("/echo/a") as response:
            assert (response.status, await response.read()) == (200, b"")
        async with session.get("/fail") as response:
            assert response.status == 500
            body = await response.json()
            assert body["code"].endswith("] Server Error: Uncaught Error: no answer")
            assert body["trace"].startswith("Uncaught Error: no answer\n    at ")
        async with session.get("/nowhere") as response:
            assert response.status == 404


async def test_crons(deployment: LocalDeployment) -> None:
    assert {cron.name: cron.path for cron in deployment.crons} == {
        "tick": "tasks:tick",
        **dict.fromkeys(("hourly", "daily", "weekly", "monthly", "by expression"), "tasks:remind"),
    }


async def test_a_scheduled_function_runs_and_can_be_cancelled(client: ConvexClient) -> None:
    job: Any = await client.mutation("tasks:remindLater", {"text": "never", "ms": 60_000})
    await client.mutation("tasks:cancel", {"id": job})
    async with client.subscribe("tasks:list") as live:
        updates = aiter(live)
        await anext(updates)
        await client.mutation("tasks:remindLater", {"text": "soon", "ms": 1})
        tasks = [task["text"] for task in await anext(updates)]
        assert "reminder: soon" in tasks


async def test_scheduling_what_is_not_there_fails(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="storage"):
        await client.query("files:url", {"id": "nonsense"})
