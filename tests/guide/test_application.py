"""The guide: "Complete application example", and "Testing strategies"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import msgspec
import pytest

from convex_async import ConvexClient, ConvexError
from convex_async.local import LocalDeployment


class Task(msgspec.Struct, rename={"id": "_id", "created_at": "_creationTime"}):
    """A task document; other names are Convex's own in camel case."""

    id: str
    text: str
    isCompleted: bool
    created_at: float


@dataclass
class TaskManager:
    """Full-featured task manager using Convex."""

    client: ConvexClient

    @classmethod
    def open(cls, url: str) -> Self:
        return cls(ConvexClient(url))

    def authenticate(self, token: str) -> None:
        self.client.set_auth(token)

    async def list_tasks(self) -> list[Task]:
        return await self.client.query("tasks:list", type=list[Task])

    async def get_task(self, task_id: str) -> Task | None:
        found: Task | None = await self.client.query("tasks:get", {"id": task_id}, type=Task | None)
        return found

    async def create_task(self, text: str) -> str:
        try:
            return await self.client.mutation("tasks:create", {"text": text}, type=str)
        except ConvexError as err:
            if isinstance(err.data, dict) and err.data.get("code") == "VALIDATION_ERROR":
                raise ValueError(err.data.get("message", "Invalid input")) from err
            raise

    async def complete_task(self, task_id: str) -> None:
        await self.client.mutation("tasks:update", {"id": task_id, "isCompleted": True})

    async def delete_task(self, task_id: str) -> None:
        await self.client.mutation("tasks:delete", {"id": task_id})

    async def updates(self) -> AsyncIterator[list[Task]]:
        async for tasks in self.client.subscribe("tasks:list", type=list[Task]):
            yield tasks


async def test_the_complete_application(deployment: LocalDeployment) -> None:
    manager = TaskManager.open(deployment.url)
    async with manager.client:
        manager.authenticate(deployment.issue_token("user123"))
        shown: asyncio.Queue[list[Task]] = asyncio.Queue()

        async def on_tasks_updated() -> None:
            async for tasks in manager.updates():
                shown.put_nowait(tasks)

        listening = asyncio.create_task(on_tasks_updated())
        assert await shown.get() == []
        task1_id = await manager.create_task("Learn Convex")
        assert [task.text for task in await shown.get()] == ["Learn Convex"]
        await manager.create_task("Build an app")
        assert len(await shown.get()) == 2
        await manager.complete_task(task1_id)
        assert [task.isCompleted for task in await shown.get()] == [False, True]
        task = await manager.get_task(task1_id)
        assert task is not None
        assert task.isCompleted
        assert task.created_at > 1.6e12  # ms since the epoch
        await manager.delete_task(task1_id)
        assert await manager.get_task(task1_id) is None
        assert [task.text for task in await manager.list_tasks()] == ["Build an app"]
        with pytest.raises(ValueError, match="needs a text"):
            await manager.create_task("  ")
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


# Testing strategies


async def test_create_and_list_tasks(client: ConvexClient) -> None:
    task_id = await client.mutation("tasks:create", {"text": "Test task"})
    assert task_id is not None
    tasks = await client.query("tasks:list")
    assert any(t["_id"] == task_id for t in tasks)
    await client.mutation("tasks:delete", {"id": task_id})


async def test_error_handling(client: ConvexClient) -> None:
    with pytest.raises(ConvexError) as exc_info:
        await client.mutation("orders:create", {"productId": "nonexistent"})
    assert exc_info.value.data["code"] == "NOT_FOUND"


async def test_functions_without_a_socket(deployment: LocalDeployment) -> None:
    await deployment.run("tasks:create", {"text": "Test task"})
    tasks = await deployment.run("tasks:list")
    assert len(tasks) == 1
    with pytest.raises(ConvexError, match="Unauthorized"):
        await deployment.run("tasks:myTasks")
