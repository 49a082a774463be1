"""Workers over real sockets: each job is claimed once, nothing polls, and nothing is lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from examples.worker import backend

from convex_async import ClientClosedError, ConvexClient, FunctionError, LocalProtocolError, Worker
from convex_async.local import Functions, LocalDeployment, v
from convex_async.protocol.messages import ClientMessage, Mutation

PATHS: dict[str, Any] = {
    name: f"jobs:{name}" for name in ("ready", "claim", "complete", "fail", "heartbeat")
}


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(backend.functions) as deployment:
        yield deployment


async def echo(job: dict[str, Any]) -> Any:
    return job["payload"]


@asynccontextmanager
async def working(
    client: ConvexClient, run: Callable[[Any], Awaitable[Any]] = echo, **options: Any
) -> AsyncIterator[Worker]:
    worker = Worker(client, run=run, **{**PATHS, "handle_signals": False, **options})
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, 10)


async def submit(deployment: LocalDeployment, payload: Any = "x") -> str:
    id: str = await deployment.run("jobs:submit", {"payload": payload})
    return id


async def ended(client: ConvexClient, id: str, state: str = "done") -> dict[str, Any]:
    job: dict[str, Any] = await client.subscribe("jobs:get", {"id": id}).until(
        lambda job: job["state"] == state, timeout=10
    )
    return job


async def test_a_job_is_done_as_it_comes(deployment: LocalDeployment, client: ConvexClient) -> None:
    before = await submit(deployment, "before")
    async with working(client, name="w1") as worker:
        assert (await ended(client, before))["result"] == "before"
        after = await submit(deployment, "after")
        job = await ended(client, after)
        assert (job["result"], job["worker"], job["attempts"]) == ("after", "w1", 1)
        assert "running" in repr(worker)
    assert (worker.completed, worker.failed, worker.lost) == (2, 0, 0)


async def test_an_idle_worker_says_nothing(
    deployment: LocalDeployment, client: ConvexClient, frames: list[ClientMessage]
) -> None:
    async with working(client, concurrency=8) as worker:
        await ended(client, await submit(deployment))
        calls = [frame.udf_path for frame in frames if isinstance(frame, Mutation)]
        # One claim for the job; a second only if `ready` was not yet seen to be 0.
        assert calls in (["jobs:claim", "jobs:complete"], ["jobs:claim"])
        await client.query("jobs:ready")  # what the completion let loose has come
        frames.clear()
        await asyncio.sleep(0.5)  # the silence itself is what is waited for
        assert [frame for frame in frames if isinstance(frame, Mutation)] == []
    assert worker.completed == 1


async def test_no_more_run_at_a_time_than_asked_for(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    running, most, go = 0, 0, asyncio.Event()

    async def run(job: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            go.set()
        await go.wait()
        await asyncio.sleep(0)
        running -= 1

    ids = [await submit(deployment) for _ in range(10)]
    async with working(client, run, concurrency=3):
        for id in ids:
            await ended(client, id)
    assert most == 3


async def test_each_job_has_one_claim_over_workers_and_drops(deployment: LocalDeployment) -> None:
    ran: list[str] = []

    async def run(job: dict[str, Any]) -> None:
        ran.append(job["_id"])
        await asyncio.sleep(0)

    clients = [ConvexClient(deployment.url, close_timeout=0.5) for _ in range(4)]
    tasks: list[asyncio.Task[None]] = []
    workers: list[Worker] = []
    for client in clients:
        worker = Worker(client, run=run, **PATHS, concurrency=3, handle_signals=False)
        workers.append(worker)
        tasks.append(asyncio.create_task(worker.run()))
    ids: list[str] = []
    async with ConvexClient(deployment.url, close_timeout=0.5) as submitter:
        for number in range(60):
            ids.append(await submitter.mutation("jobs:submit", {"payload": number}))
            if number % 12 == 5:
                deployment.faults.drop_after_commit = 2  # claims whose answer is lost
            if number % 12 == 11:
                deployment.faults.drop()
        for id in ids:
            job = await ended(submitter, id)
            assert job["attempts"] == 1
    for worker in workers:
        worker.stop()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    for client in clients:
        await client.close()
    assert sorted(ran) == sorted(ids)
    assert sum(worker.completed for worker in workers) == 60
    assert max(client.state.connection_count for client in clients) > 2


async def test_a_poison_job_fails_after_its_last_attempt(
    deployment: LocalDeployment, client: ConvexClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def run(job: dict[str, Any]) -> Any:
        if job["payload"] == "poison":
            raise ZeroDivisionError("by the job")
        return {1, 2} if job["payload"] == "unsendable" else None

    ids = [await submit(deployment, payload) for payload in ("poison", "unsendable", "good")]
    async with working(client, run) as worker:
        poison = await ended(client, ids[0], "failed")
        assert (poison["attempts"], poison["error"]) == (3, "ZeroDivisionError: by the job")
        unsendable = await ended(client, ids[1], "failed")
        assert "args.result" in unsendable["error"]
        await ended(client, ids[2])
    assert (worker.completed, worker.failed) == (1, 6)
    assert "ZeroDivisionError" in caplog.text


async def test_heartbeats_keep_a_claim_and_a_lost_one_cancels(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    cancelled, began = asyncio.Event(), asyncio.Event()

    async def run(job: dict[str, Any]) -> None:
        if job["attempts"] > 1:
            return
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    # With room for one job only, it can't claim it again before it is told.
    async with working(client, run, heartbeat_interval=0.05, name="w1", concurrency=1) as worker:
        id = await submit(deployment)
        await began.wait()
        first = (await ended(client, id, "running"))["beatAt"]
        await client.subscribe("jobs:get", {"id": id}).until(
            lambda job: job["beatAt"] > first, timeout=10
        )
        assert not cancelled.is_set()
        # Somebody takes the claim away, as its lapse would.
        await deployment.run("jobs:fail", {"id": id, "worker": "w1", "error": "lapsed"})
        await asyncio.wait_for(cancelled.wait(), 10)
        await ended(client, id)
    assert (worker.lost, worker.completed) == (1, 1)


async def test_a_silent_workers_job_goes_to_another(
    monkeypatch: pytest.MonkeyPatch, deployment: LocalDeployment, client: ConvexClient
) -> None:
    monkeypatch.setattr(backend, "LEASE", 0.2)
    id = await submit(deployment)
    await deployment.run("jobs:claim", {"worker": "one that died"})
    async with working(client, name="another"):
        job = await ended(client, id)
    assert (job["attempts"], job["worker"]) == (2, "another")
    assert job["error"] == "worker one that died went silent"


async def test_a_claim_that_is_had_again_ends_the_first_run(
    monkeypatch: pytest.MonkeyPatch, deployment: LocalDeployment, client: ConvexClient
) -> None:
    monkeypatch.setattr(backend, "LEASE", 0.1)
    runs = 0

    async def run(job: dict[str, Any]) -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            await asyncio.Event().wait()  # without a heartbeat, its claim lapses
        return runs

    async with working(client, run, heartbeat=None) as worker:
        job = await ended(client, await submit(deployment))
    assert (job["attempts"], job["result"]) == (2, 2)
    assert (worker.completed, worker.lost) == (1, 1)


async def test_stop_finishes_what_was_begun_and_claims_no_more(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def run(job: dict[str, Any]) -> str:
        began.set()
        await go.wait()
        return "finished"

    worker = Worker(client, run=run, **PATHS, concurrency=1, handle_signals=False)
    working = asyncio.create_task(worker.run())
    first = await submit(deployment)
    await began.wait()
    with pytest.raises(LocalProtocolError, match="runs already"):
        await worker.run()
    worker.stop()
    second = await submit(deployment)
    go.set()
    await asyncio.wait_for(working, 10)
    assert (await client.query("jobs:get", {"id": first}))["result"] == "finished"
    assert (await client.query("jobs:get", {"id": second}))["state"] == "waiting"
    again = asyncio.create_task(worker.run())  # it may be used again
    await ended(client, second)
    worker.stop()
    await again


async def test_a_cancelled_worker_leaves_nothing_behind(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    began = asyncio.Event()

    async def run(job: dict[str, Any]) -> None:
        began.set()
        await asyncio.Event().wait()

    worker = Worker(client, run=run, **PATHS, handle_signals=False)
    working = asyncio.create_task(worker.run())
    await submit(deployment)
    await began.wait()
    before = len(asyncio.all_tasks())
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert len(asyncio.all_tasks()) <= before - 3  # the worker, its job, the handler, ...
    gc.collect()


async def test_functions_that_do_not_agree_are_no_storm() -> None:
    claims = 0
    functions = Functions()

    @functions.query("jobs:ready")
    async def ready(ctx: Any) -> bool:
        return True

    @functions.mutation("jobs:claim", args={"worker": v.string()})
    async def claim(ctx: Any, worker: str) -> None:
        nonlocal claims
        claims += 1

    async with (
        LocalDeployment(functions) as other,
        ConvexClient(other.url) as client,
        working(client),
    ):
        await asyncio.sleep(0.5)  # what is done meanwhile is what is looked at
    assert 2 <= claims <= 8


async def test_arguments_that_a_function_does_not_take_are_left_out(
    deployment: LocalDeployment,
) -> None:
    functions = Functions()
    done: list[Any] = []

    @functions.query("jobs:ready")
    async def ready(ctx: Any) -> Any:
        return await ctx.db.query("jobs").take(10)

    @functions.mutation("jobs:claim", args={})
    async def claim(ctx: Any) -> Any:
        job = await ctx.db.query("jobs").first()
        if job is not None:
            await ctx.db.delete(job["_id"])
        return job

    @functions.mutation("jobs:add")
    async def add(ctx: Any) -> None:
        await ctx.db.insert("jobs", {})

    @functions.mutation("jobs:complete", args={"id": v.string()})
    async def complete(ctx: Any, id: str) -> None:
        done.append(id)

    async with LocalDeployment(functions) as other, ConvexClient(other.url) as client:
        finished = asyncio.Event()

        async def run(job: Any) -> None:
            if job["_creationTime"]:
                finished.set()

        async with working(client, run, heartbeat=None):
            await other.run("jobs:add")
            await asyncio.wait_for(finished.wait(), 10)
        assert len(done) == 1


async def test_a_worker_that_can_never_claim_says_so(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url, close_timeout=0.5) as client:
        await submit(deployment)
        wrong = Worker(client, run=echo, **{**PATHS, "claim": "jobs:nothing"})
        with pytest.raises(FunctionError, match="jobs:nothing"):
            await asyncio.wait_for(wrong.run(), 10)
        closed = Worker(client, run=echo, **PATHS)
        working = asyncio.create_task(closed.run())
        await ended(client, await submit(deployment))
    with pytest.raises(ClientClosedError):
        await asyncio.wait_for(working, 10)
    with pytest.raises(ValueError, match="concurrency"):
        Worker(client, run=echo, **PATHS, concurrency=0)
