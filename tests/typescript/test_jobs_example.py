"""The worker on the queue in TypeScript of the example, which its docs show."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient, Worker
from convex_async.local import LocalDeployment

EXAMPLE = Path(__file__).parents[2] / "examples" / "worker" / "convex"


@pytest.fixture
def folder(app: Path, tmp_path: Path) -> Path:
    """The example beside the packages of the tests."""
    (tmp_path / "node_modules").symlink_to(app.parent / "node_modules")
    shutil.copytree(EXAMPLE, tmp_path / "convex")
    return tmp_path / "convex"


async def test_jobs_are_done_and_poison_fails(folder: Path) -> None:
    async def run(job: dict[str, Any]) -> Any:
        if job["payload"] == "poison":
            raise ValueError("no good")
        await asyncio.sleep(0.2)
        return job["payload"] + "!"

    async with (
        LocalDeployment.from_folder(folder) as deployment,
        ConvexClient(deployment.url, close_timeout=0.5) as client,
    ):
        ids = [
            await client.mutation("jobs:submit", {"payload": payload})
            for payload in ("a", "b", "poison")
        ]
        worker = Worker(
            client,
            ready="jobs:ready",
            claim="jobs:claim",
            run=run,
            complete="jobs:complete",
            fail="jobs:fail",
            heartbeat="jobs:heartbeat",
            heartbeat_interval=0.05,
            handle_signals=False,
        )
        working = asyncio.create_task(worker.run())
        jobs = [
            await client.subscribe("jobs:get", {"id": id}).until(
                lambda job: job["state"] in ("done", "failed"), timeout=30
            )
            for id in ids
        ]
        worker.stop()
        await working
    assert [job.get("result") for job in jobs] == ["a!", "b!", None]
    assert [job["attempts"] for job in jobs] == [1, 1, 3]
    assert jobs[2]["error"] == "ValueError: no good"
    assert (worker.completed, worker.failed, worker.lost) == (2, 3, 0)
