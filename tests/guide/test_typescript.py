"""The guide's own TypeScript, unchanged but for imports that it leaves out, and its programs."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import LocalDeployment
from tests.typescript.conftest import app as app  # its packages

FOLDER = Path(__file__).parent / "convex"


@pytest.fixture
async def deployment(app: Path, tmp_path: Path) -> AsyncIterator[LocalDeployment]:
    """The folder as a project, served."""
    shutil.copytree(FOLDER, tmp_path / "convex")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "node_modules").symlink_to(app.parent / "node_modules")
    async with LocalDeployment.from_folder(tmp_path / "convex") as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10, close_timeout=0.5) as client:
        yield client


async def test_tasks(client: ConvexClient, deployment: LocalDeployment) -> None:
    task_id = await client.mutation("tasks:create", {"text": "Test task"})
    tasks = await client.query("tasks:list")
    assert [(task["_id"], task["text"]) for task in tasks] == [(task_id, "Test task")]
    with pytest.raises(FunctionError, match="Unauthorized"):
        await client.query("tasks:myTasks")
    async with ConvexClient(deployment.url, auth=deployment.issue_token("user123")) as authed:
        assert await authed.query("tasks:myTasks") == []


async def test_a_message_expires(client: ConvexClient, deployment: LocalDeployment) -> None:
    await client.mutation("messages:sendExpiringMessage", {"body": "self-destruct"})
    assert await client.query("messages:list") == ["self-destruct"]
    async with client.subscribe("messages:list") as live:
        async for bodies in live:
            if not bodies:
                break


async def test_the_webhook(client: ConvexClient, deployment: LocalDeployment) -> None:
    async with (
        aiohttp.ClientSession(deployment.site_url) as session,
        session.post("/webhook/stripe", json={"event": "completed", "amount": 9999}) as response,
    ):
        assert await response.json() == {"received": True}
    assert await client.query("payments:list") == [{"event": "completed", "amount": 9999}]


async def test_an_order_is_charged_by_an_action(client: ConvexClient) -> None:
    await client.mutation("payments:processOrder", {"item": "book"})
    async with client.subscribe("payments:list") as live:
        async for payments in live:
            if payments:
                assert len(payments[0]["orderId"]) > 30
                break


async def test_an_account_is_deleted(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url, auth=deployment.issue_token("ada")) as ada:
        with pytest.raises(FunctionError, match="User not found"):
            await ada.mutation("users:deleteAccount")
        await ada.mutation("users:register", {"name": "Ada", "email": "ada@example.com"})
        await ada.mutation("users:deleteAccount")
        with pytest.raises(FunctionError, match="User not found"):
            await ada.mutation("users:deleteAccount")


async def test_movies(client: ConvexClient) -> None:
    await client.mutation("movies:add", {"title": "Jaws", "director": "Spielberg"})
    await client.mutation("movies:add", {"title": "Alien", "director": "Scott"})
    assert await client.query("movies:bySpielberg") == ["Jaws"]


async def test_crons(deployment: LocalDeployment) -> None:
    assert {cron.name: cron.path for cron in deployment.crons} == {
        "cleanup": "maintenance:cleanup",
        "report": "reports:generate",
        "weekly": "backup:run",
    }
