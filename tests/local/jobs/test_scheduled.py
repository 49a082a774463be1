"""Scheduled functions: when they run, how often, and what a restart does to them."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine.engine import Engine
from convex_async.local.jobs import retrying
from convex_async.local.jobs import scheduled as scheduler
from convex_async.local.problems import DeploymentProblem
from convex_async.local.store.ids import make_id
from tests.local.calls import act, mutate, read, running, until


class Backend:
    """Functions that schedule others, and what ran outside of transactions."""

    def __init__(self) -> None:
        # With a schema, as users have one: it concerns no table of the system's.
        schema = define_schema({"notes": define_table({"text": v.string()})})
        self.functions = functions = Functions(schema)
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


def error_of(engine: Engine, job_id: str) -> str:
    document = engine.store.get(job_id, engine.latest_ts)
    assert document is not None
    error: str = document.fields["state"]["error"]
    return error


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


async def test_a_job_that_raises_has_failed_and_left_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(Backend().functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:raise", text="a")
        await until(lambda: state(engine, job) == "failed")
        assert await read(engine, "jobs:notes") == []
        assert error_of(engine, job).startswith("Uncaught ValueError: a\n    at raises (")
        (record,) = caplog.records
        assert record.levelname == "ERROR"
        assert "jobs.js:raise failed: Uncaught ValueError: a" in record.getMessage()


async def test_a_job_whose_function_is_gone_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    async with running(Backend().functions, path) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.05, path="jobs:note", text="a")
    async with running(Functions(), path) as engine:
        await until(lambda: state(engine, job) == "failed")
        assert "Could not find function for 'jobs.js:note'" in error_of(engine, job)


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
            if path == "jobs.js:note" and troubles:
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
        assert begun == ["jobs.js:act"]
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
        await engine.transact(lambda transaction: transaction.patch_system(job, canceled))
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


# In November 2026. Not by the clock: each worker would name its tests otherwise.
NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("method", "when", "told"),
    [
        ("run_after", math.nan, "a finite number, not nan"),
        ("run_after", math.inf, "a finite number, not inf"),
        ("run_after", -1.0, "from 0 on, not -1.0"),
        ("run_after", timedelta(seconds=-1), "from 0 on"),
        ("run_after", "5", "seconds, or a timedelta, not '5'"),
        ("run_after", True, "not True"),
        ("run_after", datetime.now(UTC), "seconds, or a timedelta, not datetime"),
        ("run_after", 6 * 366 * 86400.0, "more than 5 years in the future"),
        ("run_at", math.nan, "a finite number"),
        ("run_at", NOW * 1e3, "more than 5 years in the future: is it in milliseconds?"),
        ("run_at", 0.0, "more than 5 years in the past"),
        ("run_at", timedelta(1), "seconds since the epoch, or a datetime, not datetime.timedelta"),
    ],
)
@pytest.mark.parametrize("kind", ["mutation", "action"])
async def test_a_time_that_makes_no_sense_is_refused_and_stops_no_other_job(
    method: str, when: Any, told: str, kind: str
) -> None:
    backend = Backend()

    async def schedule(ctx: Any) -> None:
        await getattr(ctx.scheduler, method)(when, "jobs:note", {"text": "never"})

    getattr(backend.functions, kind)("jobs:schedule")(schedule)
    async with running(backend.functions) as engine:
        with pytest.raises(AssertionError, match=re.escape(told)):
            await (mutate if kind == "mutation" else act)(engine, "jobs:schedule")
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:note", text="a")
        await until(lambda: state(engine, job) == "success")
        assert await read(engine, "jobs:notes") == ["a"]


async def test_times_of_the_calendar_are_taken() -> None:
    backend = Backend()

    @backend.functions.mutation("jobs:schedule")
    async def schedule(ctx: Any) -> list[str]:
        return [
            await ctx.scheduler.run_after(timedelta(milliseconds=5), "jobs:note", {"text": "a"}),
            await ctx.scheduler.run_at(
                datetime(2030, 1, 1, tzinfo=UTC), "jobs:note", {"text": "b"}
            ),
        ]

    async with running(backend.functions) as engine:
        soon, late = await mutate(engine, "jobs:schedule")
        await until(lambda: state(engine, soon) == "success")
        document = engine.store.get(late, engine.latest_ts)
        assert document is not None
        assert document.fields["scheduledTime"] == 1893456000000


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("jobs:none", "Attempted to schedule function at nonexistent path: jobs:none"),
        ("jobs:notes", "jobs:notes is defined as a Query. Only Mutation and Action"),
        ("no path!", "is not a function path"),
    ],
)
async def test_only_what_can_run_is_scheduled(path: str, told: str) -> None:
    async with running(Backend().functions) as engine:
        with pytest.raises(AssertionError, match=re.escape(told)):
            await mutate(engine, "jobs:after", seconds=0.0, path=path, text="a")


async def test_a_job_sees_itself_in_progress_and_cannot_cancel_itself(tmp_path: Path) -> None:
    backend = Backend()
    seen: list[Any] = []

    @backend.functions.mutation("jobs:begin")
    async def begin(ctx: Any) -> Any:
        return await ctx.scheduler.run_after(0, "jobs:self")

    @backend.functions.internal_mutation("jobs:self")
    async def itself(ctx: Any) -> None:
        (job,) = await ctx.db.system.query("_scheduled_functions").collect()
        seen.append(job)
        await ctx.db.insert("notes", {"text": "kept"})
        try:
            await ctx.scheduler.cancel(job["_id"])
        except Exception as error:
            seen.append(str(error))

    async with running(backend.functions, tmp_path / "data.sqlite3") as engine:
        job = await mutate(engine, "jobs:begin")
        await until(lambda: state(engine, job) == "success")
        assert await read(engine, "jobs:notes") == ["kept"]
        own, told = seen
        assert told == "A mutation cannot cancel itself"
        assert own["state"] == {"kind": "inProgress"}
        assert own.keys() == {"_id", "_creationTime", "name", "args", "scheduledTime", "state"}
        assert (own["_id"], own["name"], own["args"]) == (job, "jobs.js:self", [{}])


async def test_a_mutation_job_cancelled_while_it_runs_leaves_nothing() -> None:
    backend = Backend()
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    @backend.functions.internal_mutation("jobs:slow")
    async def slow(ctx: Any, text: str) -> None:
        await ctx.db.insert("notes", {"text": text})
        begun.set()
        await may_go_on.wait()

    async with running(backend.functions) as engine:
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:slow", text="a")
        await begun.wait()
        assert state(engine, job) == "pending"  # to all but itself
        await mutate(engine, "jobs:cancel", id=job)
        may_go_on.set()
        later = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:note", text="b")
        await until(lambda: state(engine, later) == "success")
        assert state(engine, job) == "canceled"
        assert await read(engine, "jobs:notes") == ["b"]


async def test_only_the_id_of_a_job_can_be_cancelled() -> None:
    async with running(Backend().functions) as engine:
        for id in ("nonsense", make_id(10_001, random.Random(1))):
            with pytest.raises(AssertionError, match="Invalid scheduled function ID"):
                await mutate(engine, "jobs:cancel", id=id)


async def test_a_job_whose_begin_cannot_be_written_begins_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retrying, "INITIAL_BACKOFF", 0.001)
    backend = Backend()
    async with running(backend.functions) as engine:
        transact = engine.transact
        troubles = [OSError("disk full")]

        async def breaks(work: Any) -> Any:
            if troubles:
                raise troubles.pop()
            return await transact(work)

        monkeypatch.setattr(engine, "transact", breaks)
        job = await mutate(engine, "jobs:after", seconds=0.0, path="jobs:act", text="a")
        await until(lambda: state(engine, job) == "success")
        assert backend.acted == ["a"]
        assert "disk full" in caplog.text
