"""Workers as processes of their own: one claim a job, drained by SIGTERM, replaced if killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from examples.worker import backend

from convex_async import ConvexClient
from convex_async.local import LocalDeployment

ROOT = Path(__file__).parents[2]
Start = Callable[[], Coroutine[Any, Any, Process]]


@asynccontextmanager
async def starting(deployment: LocalDeployment) -> AsyncIterator[Start]:
    """Starts workers; none is left behind."""
    async with AsyncExitStack() as stack:

        async def start() -> Process:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "examples.worker.work"),
                cwd=ROOT,
                env={**os.environ, "CONVEX_URL": deployment.url, "HEARTBEAT": "0.2"},
                stdout=PIPE,
                stderr=DEVNULL,
            )
            stack.push_async_callback(ended, worker)
            return worker

        yield start


async def ended(worker: Process) -> None:
    if worker.returncode is None:
        worker.kill()
        await worker.wait()


async def drained(worker: Process) -> list[int]:
    """How many jobs it completed, failed and lost, once it has stopped in good order."""
    worker.send_signal(signal.SIGTERM)
    assert worker.stdout is not None
    output = await worker.stdout.read()
    assert await worker.wait() == 0
    return [int(number) for number in re.findall(r"\d+", output.decode())]


async def submit(client: ConvexClient, prompt: str, seconds: float = 0) -> str:
    payload = {"prompt": prompt, "seconds": seconds}
    id: str = await client.mutation("jobs:submit", {"payload": payload})
    return id


async def done(client: ConvexClient, id: str) -> dict[str, Any]:
    job: dict[str, Any] = await client.subscribe("jobs:get", {"id": id}).until(
        lambda job: job["state"] in ("done", "failed"), timeout=30
    )
    return job


async def test_three_workers_share_a_queue_over_drops() -> None:
    async with (
        LocalDeployment(backend.functions) as deployment,
        ConvexClient(deployment.url, close_timeout=0.5) as client,
        starting(deployment) as start,
    ):
        workers = [await start() for _ in range(3)]
        # All are there before the queue fills: each takes a long job.
        for id in [await submit(client, "hello", seconds=0.5) for _ in range(12)]:
            await done(client, id)
        ids: list[str] = []
        for number in range(60):
            ids.append(await submit(client, f"p{number}", seconds=0.01))
            if number % 20 == 9:
                deployment.faults.drop_after_commit = 2
            if number % 20 == 19:
                deployment.faults.drop()
        for number, id in enumerate(ids):
            job = await done(client, id)
            assert (job["result"], job["attempts"]) == (f"p{number}!", 1)
        counts = [await drained(worker) for worker in workers]
        assert sum(completed for completed, _, _ in counts) == 72
        assert all(completed >= 1 for completed, _, _ in counts)
        assert [rest for _, *rest in counts] == [[0, 0]] * 3


async def test_sigterm_drains_and_sigkill_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "LEASE", 1.0)
    async with (
        LocalDeployment(backend.functions) as deployment,
        ConvexClient(deployment.url, close_timeout=0.5) as client,
        starting(deployment) as start,
    ):
        first = await start()
        id = await submit(client, "drained", seconds=1.5)  # longer than a claim without heartbeats
        watched = client.subscribe("jobs:get", {"id": id})
        await watched.until(lambda job: job["state"] == "running", timeout=30)
        assert await drained(first) == [1, 0, 0]
        assert (await done(client, id))["result"] == "drained!"

        killed = await start()
        id = await submit(client, "handed over", seconds=0.5)
        watched = client.subscribe("jobs:get", {"id": id})
        await watched.until(lambda job: job["state"] == "running", timeout=30)
        killed.kill()
        second = await start()
        job = await done(client, id)
        assert (job["result"], job["attempts"]) == ("handed over!", 2)
        assert await drained(second) == [1, 0, 0]


async def test_a_second_signal_gives_back_what_runs() -> None:
    async with (
        LocalDeployment(backend.functions) as deployment,
        ConvexClient(deployment.url, close_timeout=0.5) as client,
        starting(deployment) as start,
    ):
        worker = await start()
        id = await submit(client, "long", seconds=1000)
        watched = client.subscribe("jobs:get", {"id": id})
        await watched.until(lambda job: job["state"] == "running", timeout=30)
        worker.send_signal(signal.SIGINT)
        assert await drained(worker) == [0, 1, 0]
        job = await client.query("jobs:get", {"id": id})
        assert job["state"] == "waiting"
        assert "the worker was stopped" in job["error"]
