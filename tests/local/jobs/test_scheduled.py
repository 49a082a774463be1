"""Scheduled functions: when they run, how often, and what a restart does to them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import Functions
from convex_async.local.engine.engine import Engine
from convex_async.local.jobs import retrying
from convex_async.local.jobs import scheduled as scheduler
from convex_async.local.problems import DeploymentProblem
from tests.local.calls import act, mutate, read, running, until


class Backend:
    """Functions that schedule others, and what ran outside of transactions."""

    def __init__(self) -> None:
        self.functions = functions = Functions()
        self.acted: list[str] = []
        self.hang = asyncio.Event()

        @functions.mutation("jobs:after")
        async def after(ctx: Any, seconds: float, path: str, text: str) -> Any:
            return await ctx.scheduler.run_after(seconds, path, {"text": text})

        @functions.mutation("jobs:fail")
        async def fail(ctx: Any) -> None:
            await ctx.scheduler.run_after(0, "jobs:note", {"text": "never"})
            raise ValueError("no")

        @functions.mutation("jobs:cancel")
        async def cancel(ctx: Any, id: str) -> None:
            await ctx.scheduler.cancel(id)

        @functions.action("jobs:from_action")
        async def from_action(ctx: Any, text: str) -> Any:
            return await ctx.scheduler.run_at(time.time(), "jobs:note", {"text": text})

        @functions.internal_mutation("jobs:note")
        async def note(ctx: Any, text: str) -> None:
            assert await ctx.auth.get_user_identity() is None
            await ctx.db.insert("notes", {"text": text})

        @functions.internal_mutation("jobs:raise")
        async def raises(ctx: Any, text: str) -> None:
            await ctx.db.insert("notes", {"text": text})
            raise ValueError(text)

        @functions.internal_action("jobs:act")
        async def do_act(ctx: Any, text: str) -> None:
            self.acted.append(text)

        @functions.internal_action("jobs:hang")
        async def do_hang(ctx: Any, text: str) -> None:
            self.acted.append(text)
            await self.hang.wait()

        @functions.query("jobs:notes")
        async def notes(ctx: Any) -> Any:
            return [note["text"] for note in await ctx.db.query("notes").collect()]


def state(engine: Engine, job_id: str) -> str:
    document = engine.store.get(job_id, engine.latest_ts)
    assert document is not None
    kind: str = document.fields["state"]["kind"]
    return kind


async def test_a_mutation_runs_when_due_and_not_before() -> None:
    async with running(Backend().functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.1, path="jobs:note", text="a")
        assert state(engine, job) == "pending"
        await asyncio.sleep(0.03)
        assert await read(engine, "jobs:notes") == []
        await until(lambda: state(engine, job) == "success")
        assert await read(engine, "jobs:notes") == ["a"]


async def test_an_earlier_job_overtakes_a_later_one() -> None:
    async with running(Backend().functions) as engine:
        await mutate(engine, "jobs:after", seconds=60.0, path="jobs:note", text="late")
        job = await mutate(engine, "jobs:after", seconds=0.01, path="jobs:note", text="soon")
        await until(lambda: state(engine, job) == "success")
        assert await read(engine, "jobs:notes") == ["soon"]


async def test_a_mutation_that_fails_schedules_nothing() -> None:
    async with running(Backend().functions) as engine:
        assert (await engine.mutation("jobs:fail", b"{}", identity=None)).ts is None
        await asyncio.sleep(0.03)
        assert await read(engine, "jobs:notes") == []


async def test_a_cancelled_job_never_runs() -> None:
    async with running(Backend().functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.02, path="jobs:note", text="a")
        await mutate(engine, "jobs:cancel", id=job)
        await asyncio.sleep(0.05)
        assert state(engine, job) == "canceled"
        assert await read(engine, "jobs:notes") == []


async def test_a_job_that_raises_has_failed_and_left_nothing() -> None:
    async with running(Backend().functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:raise", text="a")
        await until(lambda: state(engine, job) == "failed")
        assert await read(engine, "jobs:notes") == []


async def test_a_job_of_an_unknown_function_has_failed() -> None:
    async with running(Backend().functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:none", text="a")
        await until(lambda: state(engine, job) == "failed")


async def test_an_action_is_run_and_can_schedule() -> None:
    backend = Backend()
    async with running(backend.functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:act", text="a")
        await until(lambda: state(engine, job) == "success")
        assert backend.acted == ["a"]
        job = await act(engine, "jobs:from_action", text="b")
        await until(lambda: state(engine, job) == "success")
        assert await read(engine, "jobs:notes") == ["b"]


async def test_a_pending_mutation_outlives_the_process_and_runs_once(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    async with running(Backend().functions, path) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.1, path="jobs:note", text="a")
    await asyncio.sleep(0.1)
    await check_that_it_ran_once(path, job)
    await check_that_it_ran_once(path, job)


async def check_that_it_ran_once(path: Path, job: str) -> None:
    async with running(Backend().functions, path) as engine:
        await until(lambda: state(engine, job) == "success")
        await asyncio.sleep(0.02)
        assert await read(engine, "jobs:notes") == ["a"]


async def test_an_action_that_had_begun_is_not_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    first, second = Backend(), Backend()
    async with running(first.functions, path) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:hang", text="a")
        await until(lambda: first.acted == ["a"])
        assert state(engine, job) == "inProgress"
    async with running(second.functions, path) as engine:
        assert state(engine, job) == "failed"
        await asyncio.sleep(0.03)
    assert second.acted == []


async def test_a_mutation_that_ends_unexpectedly_is_tried_again_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retrying, "INITIAL_BACKOFF", 0.001)
    async with running(Backend().functions) as engine:
        mutation = engine.mutation
        troubles = [OSError("disk full"), DeploymentProblem("OCC", "Conflict", "again and again")]

        async def breaks(path: str, *args: Any, **options: Any) -> Any:
            if path == "jobs:note" and troubles:
                raise troubles.pop(0)
            return await mutation(path, *args, **options)

        monkeypatch.setattr(engine, "mutation", breaks)
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:note", text="a")
        await until(lambda: state(engine, job) == "success")
        assert "disk full" in caplog.text
        assert "again and again" in caplog.text
        assert await read(engine, "jobs:notes") == ["a"]


async def test_an_action_that_ends_unexpectedly_has_failed_and_is_not_begun_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retrying, "INITIAL_BACKOFF", 0.001)
    async with running(Backend().functions) as engine:
        begun: list[str] = []

        async def breaks(path: str, *args: Any, **options: Any) -> Any:
            begun.append(path)
            raise OSError("no more threads")

        monkeypatch.setattr(engine, "action", breaks)
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:act", text="a")
        await until(lambda: state(engine, job) == "failed")
        assert begun == ["jobs:act"]
        assert "no more threads" in caplog.text


async def test_a_function_that_cancels_itself_has_failed() -> None:
    backend = Backend()

    @backend.functions.internal_mutation("jobs:quit")
    async def leave(ctx: Any, text: str) -> None:
        raise asyncio.CancelledError(text)

    async with running(backend.functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:quit", text="a")
        await until(lambda: state(engine, job) == "failed")


async def test_so_many_jobs_run_at_a_time() -> None:
    backend = Backend()
    async with running(backend.functions) as engine:
        jobs = [
            await mutate(engine, "jobs:after", seconds=0.0, path="jobs:hang", text="a")
            for _ in range(10)
        ]
        await until(lambda: len(backend.acted) == 8)
        await read(engine, "jobs:notes")
        states = [state(engine, job) for job in jobs]
        assert (states.count("inProgress"), states.count("pending")) == (8, 2)
        backend.hang.set()
        await until(lambda: all(state(engine, job) == "success" for job in jobs))


async def test_an_action_cancelled_while_it_runs_stays_cancelled() -> None:
    backend = Backend()
    async with running(backend.functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:hang", text="a")
        await until(lambda: backend.acted == ["a"])
        canceled = {"state": {"kind": "canceled"}}
        await engine.transact(lambda transaction: transaction.patch(job, canceled))
        ended = asyncio.Event()
        transact = engine.transact

        async def noting(work: Any) -> Any:
            try:
                return await transact(work)
            finally:
                ended.set()

        engine.transact = noting  # type: ignore[method-assign]
        backend.hang.set()
        await ended.wait()
        assert state(engine, job) == "canceled"


async def test_finished_jobs_are_deleted_after_seven_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.sqlite3"
    async with running(Backend().functions, path) as engine:
        done = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:note", text="a")
        pending = await mutate(engine, "jobs:after", seconds=60.0, path="jobs:note", text="b")
        await until(lambda: state(engine, done) == "success")
    async with running(Backend().functions, path) as engine:
        assert state(engine, done) == "success"
    monkeypatch.setattr(scheduler, "FINISHED_KEPT", -1.0)
    async with running(Backend().functions, path) as engine:
        await until(lambda: engine.store.get(done, engine.latest_ts) is None)
        assert state(engine, pending) == "pending"
