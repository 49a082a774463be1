"""The guide: "Common patterns": repository, background job, real-time sync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from convex_async import ConvexClient


class ConvexRepository:
    """Generic repository pattern for Convex operations."""

    def __init__(self, client: ConvexClient, table: str) -> None:
        self.client = client
        self.table = table

    async def list(self, **filters: Any) -> Any:
        return await self.client.query(f"{self.table}:list", filters)

    async def get(self, id: str) -> Any:
        return await self.client.query(f"{self.table}:get", {"id": id})

    async def create(self, **data: Any) -> str:
        return await self.client.mutation(f"{self.table}:create", data, type=str)

    async def update(self, id: str, **data: Any) -> None:
        await self.client.mutation(f"{self.table}:update", {"id": id, **data})

    async def delete(self, id: str) -> None:
        await self.client.mutation(f"{self.table}:delete", {"id": id})


async def test_crud_repository(client: ConvexClient) -> None:
    tasks = ConvexRepository(client, "tasks")
    assert await tasks.list() == []
    new_id = await tasks.create(text="New task", isCompleted=False)
    await tasks.update(new_id, isCompleted=True)
    assert (await tasks.get(new_id))["isCompleted"] is True
    assert len(await tasks.list()) == 1
    await tasks.delete(new_id)
    assert await tasks.get(new_id) is None


class BackgroundJobs:
    """Jobs that run on the deployment; waiting is told, not polled."""

    def __init__(self, client: ConvexClient) -> None:
        self.client = client

    async def submit(self, job_type: str, payload: dict[str, Any]) -> str:
        return await self.client.mutation(
            "jobs:submit", {"type": job_type, "payload": payload}, type=str
        )

    async def wait(self, job_id: str, timeout: float = 60.0) -> Any:
        async with self.client.subscribe("jobs:getStatus", {"id": job_id}) as status:
            return await status.until(
                lambda job: job["state"] in ("completed", "failed"), timeout=timeout
            )


async def test_background_jobs(client: ConvexClient) -> None:
    jobs = BackgroundJobs(client)
    job_id = await jobs.submit("image_generation", {"prompt": "A sunset"})
    assert (await jobs.wait(job_id))["state"] == "completed"
    stuck = await client.query("jobs:getStatus", {"id": job_id})
    async with client.subscribe("jobs:getStatus", {"id": stuck["_id"]}) as status:
        with pytest.raises(TimeoutError):
            await status.until(lambda job: job["state"] == "never", timeout=0.05)


async def follow(
    client: ConvexClient, query: str, callback: Callable[[Any], None], **args: Any
) -> None:
    """One subscription, one callback: a task in place of the guide's thread."""
    async for data in client.subscribe(query, args):
        callback(data)


async def test_real_time_sync_in_a_task_group(client: ConvexClient) -> None:
    tasks: asyncio.Queue[int] = asyncio.Queue()
    users: asyncio.Queue[int] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        syncs = [
            group.create_task(
                follow(client, "tasks:list", lambda found: tasks.put_nowait(len(found)))
            ),
            group.create_task(
                follow(client, "presence:online", lambda found: users.put_nowait(len(found)))
            ),
        ]
        assert [await tasks.get(), await users.get()] == [0, 0]
        await client.mutation("tasks:create", {"text": "a"})
        await client.mutation("presence:enter", {"name": "Ada"})
        assert [await tasks.get(), await users.get()] == [1, 1]
        for sync in syncs:
            sync.cancel()  # stops at once, not at the next update
