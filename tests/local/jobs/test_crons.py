"""Crons: when they are due, and that one in trouble does not hold up the others."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from convex_async.codec import encode_arguments
from convex_async.function_path import canonical_path
from convex_async.local import Functions
from convex_async.local.definitions.crons import Cron, Interval
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.python_functions import PythonFunctions
from convex_async.local.jobs import retrying
from convex_async.local.jobs.crons import CRONS
from convex_async.local.problems import DeploymentProblem
from convex_async.local.transactions.transaction import Transaction
from tests.local.calls import mutate, read, running, until


def every(
    functions: Functions, seconds: float, name: str, path: str, args: dict[str, Any] | None = None
) -> None:
    """An interval that may be shorter than the whole seconds that users can give."""
    wire = encode_arguments(args)
    functions.crons.all[name] = Cron(name, canonical_path(path), wire, Interval(seconds))


def backend(seconds: float) -> tuple[Functions, list[int]]:
    functions = Functions()
    runs: list[int] = []

    @functions.mutation("crons:count")
    async def count(ctx: Any, by: float) -> None:
        await ctx.db.insert("counts", {"by": by})
        runs.append(1)

    @functions.query("crons:all")
    async def counts(ctx: Any) -> Any:
        return [count["by"] for count in await ctx.db.query("counts").collect()]

    every(functions, seconds, "count", "crons:count", {"by": 2})
    return functions, runs


async def test_an_interval_runs_again_and_again() -> None:
    functions, runs = backend(0.03)
    async with running(functions) as engine:
        await until(lambda: len(runs) >= 3)
        assert set(await read(engine, "crons:all")) == {2}


async def test_a_cron_in_trouble_is_tried_again_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrying, "INITIAL_BACKOFF", 0.001)
    functions, runs = backend(0.01)
    tries: list[int] = []

    @functions.internal_mutation("crons:conflict")
    async def conflict(ctx: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise DeploymentProblem("OCC", "OptimisticConcurrencyControlFailure", "again")

    functions.crons.interval("conflict", "crons:conflict", seconds=3600)
    async with running(functions):
        await until(lambda: len(tries) == 3)
        seen = len(runs)
        await until(lambda: len(runs) >= seen + 2)
    assert len(tries) == 3


def due(engine: Engine) -> list[float]:
    """When each cron is due, seconds since the epoch."""
    return [
        document.fields["scheduledTime"] / 1e3
        for document in engine.store.documents()
        if document.table == CRONS
    ]


async def put_off(engine: Engine, seconds: float) -> None:
    """Make all crons due so much later."""

    def change(transaction: Transaction) -> None:
        for document in list(engine.store.documents()):
            if document.table == CRONS:
                at = document.fields["scheduledTime"] + seconds * 1e3
                transaction.patch_system(document.document_id, {"scheduledTime": at})

    await engine.transact(change)


async def test_a_restart_repeats_no_run(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    functions, runs = backend(3600)
    async with running(functions, path) as engine:
        await until(lambda: len(runs) == 1)
        await until(lambda: due(engine)[0] > time.time() + 3000)
        (first,) = due(engine)
    async with running(functions, path) as engine:
        assert due(engine) == [first]
        await mutate(engine, "crons:count", by=3.0)
        assert await read(engine, "crons:all") == [2, 3]


async def test_of_the_runs_that_were_due_while_nothing_ran_one_is_made_up_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data.sqlite3"
    functions, runs = backend(3600)
    async with running(functions, path) as engine:
        await until(lambda: len(runs) == 1)
        await until(lambda: due(engine)[0] > time.time() + 3000)
        (first,) = due(engine)
    # As if the process had slept from 5 hours ago until now.
    engine = Engine(PythonFunctions(functions), path=path)
    await put_off(engine, -5 * 3600)
    await engine.close()
    async with running(functions, path) as engine:
        await until(lambda: len(runs) == 2)
        await until(lambda: due(engine) == [pytest.approx(first, abs=0.01)])
        assert await read(engine, "crons:all") == [2, 2]


async def test_an_action_that_had_begun_is_not_begun_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data.sqlite3"
    functions = Functions()
    begun: list[int] = []

    @functions.internal_action("crons:hang")
    async def hang(ctx: Any) -> None:
        begun.append(1)
        await asyncio.Event().wait()

    functions.crons.interval("hang", "crons:hang", seconds=3600)
    async with running(functions, path):
        await until(lambda: len(begun) == 1)
    async with running(functions, path) as engine:
        await until(lambda: due(engine)[0] > time.time())
    assert len(begun) == 1
    assert "Transient error while executing action" in caplog.text


async def test_a_run_that_fails_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    functions = Functions()
    runs: list[int] = []

    @functions.internal_mutation("crons:broken")
    async def broken(ctx: Any) -> None:
        runs.append(1)
        raise ValueError("no")

    functions.crons.interval("broken", "crons:broken", seconds=3600)
    async with running(functions) as engine:
        await until(lambda: bool(due(engine)) and due(engine)[0] > time.time())
    assert len(runs) == 1
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "the cron 'broken' failed: Uncaught ValueError: no" in record.getMessage()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("crons:missing", "cron 'x' schedules a function that does not exist: crons:missing"),
        ("crons:all", "cron 'x' schedules crons:all, which is a query"),
    ],
)
async def test_a_cron_of_what_can_not_run_is_refused_at_the_start(path: str, told: str) -> None:
    functions, _ = backend(3600)
    functions.crons.interval("x", path, seconds=60)
    with pytest.raises(ValueError, match=told):
        async with running(functions):
            pass


async def test_another_schedule_begins_anew_and_a_cron_that_is_gone_is_forgotten(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data.sqlite3"
    before, runs = backend(3600)
    before.crons.daily("nightly", "crons:count", {"by": 1}, hour_utc=3, minute_utc=0)
    async with running(before, path) as engine:
        await until(lambda: len(runs) == 1)
        assert len(due(engine)) == 2
    after, runs = backend(7200)
    async with running(after, path) as engine:
        await until(lambda: len(runs) == 1)
        await until(lambda: due(engine)[0] > time.time() + 7000)
        assert len(due(engine)) == 1


@pytest.mark.parametrize(
    ("previous", "now", "next_run"),
    [(100, 100, 110), (100, 105, 110), (100, 110, 110), (100, 111, 120), (100, 195, 200)],
)
def test_an_interval_keeps_its_beat(previous: float, now: float, next_run: float) -> None:
    assert Interval(10).next(previous, now) == next_run


@pytest.mark.parametrize(
    ("declare", "due"),
    [
        (lambda c: c.interval("x", "a:b", seconds=90), "2026-03-01T12:01:30"),
        (lambda c: c.daily("x", "a:b", hour_utc=11, minute_utc=30), "2026-03-02T11:30:00"),
        (lambda c: c.daily("x", "a:b", hour_utc=12, minute_utc=30), "2026-03-01T12:30:00"),
        (lambda c: c.cron("x", "0 0 1 * *", "a:b"), "2026-04-01T00:00:00"),
        (lambda c: c.interval("x", "a:b", minutes=2), "2026-03-01T12:02:00"),
        (lambda c: c.interval("x", "a:b", hours=3), "2026-03-01T15:00:00"),
        (lambda c: c.hourly("x", "a:b", minute_utc=0), "2026-03-01T13:00:00"),
        (lambda c: c.hourly("x", "a:b", minute_utc=5), "2026-03-01T12:05:00"),
        (
            lambda c: c.weekly("x", "a:b", day_of_week="sunday", hour_utc=12, minute_utc=0),
            "2026-03-08T12:00:00",  # it is a Sunday
        ),
        (
            lambda c: c.weekly("x", "a:b", day_of_week="saturday", hour_utc=1, minute_utc=2),
            "2026-03-07T01:02:00",
        ),
        (lambda c: c.monthly("x", "a:b", day=31, hour_utc=0, minute_utc=0), "2026-03-31T00:00:00"),
        (lambda c: c.monthly("x", "a:b", day=1, hour_utc=0, minute_utc=0), "2026-04-01T00:00:00"),
    ],
)
def test_the_next_time(declare: Callable[[Any], None], due: str) -> None:
    functions = Functions()
    declare(functions.crons)
    (cron,) = functions.crons.all.values()
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
    assert cron.schedule.next(noon, noon) == datetime.fromisoformat(due + "+00:00").timestamp()


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda c: c.interval("x", "a:b", seconds=0), "a whole number from 1 on, not 0"),
        (lambda c: c.interval("x", "a:b", seconds=1.5), "a whole number from 1 on, not 1.5"),
        (lambda c: c.interval("x", "a:b", seconds=math.nan), "a whole number from 1 on, not nan"),
        (lambda c: c.interval("x", "a:b", seconds=math.inf), "a whole number from 1 on, not inf"),
        (lambda c: c.interval("x", "a:b", hours=True), "a whole number from 1 on, not True"),
        (lambda c: c.interval("x", "a:b", minutes="5"), "a whole number from 1 on, not '5'"),
        (lambda c: c.interval("x", "a:b"), "one of seconds, minutes and hours"),
        (lambda c: c.interval("x", "a:b", minutes=1, hours=1), "one of seconds, minutes and hours"),
        (lambda c: c.interval("zwölf", "a:b", seconds=1), "use ASCII letters"),
        (lambda c: c.interval("a\nb", "a:b", seconds=1), "use ASCII letters"),
        (
            lambda c: c.hourly("x", "a:b", minute_utc=60),
            "minute_utc is a whole number from 0 to 59",
        ),
        (lambda c: c.daily("x", "a:b", hour_utc=24, minute_utc=0), "hour_utc is a whole number"),
        (
            lambda c: c.weekly("x", "a:b", day_of_week="Monday", hour_utc=0, minute_utc=0),
            "such as 'monday': 'Monday'",
        ),
        (
            lambda c: c.monthly("x", "a:b", day=32, hour_utc=0, minute_utc=0),
            "day is a whole number",
        ),
        (lambda c: c.cron("x", "0 0 31 2 *", "a:b"), "it matches no time"),
        (lambda c: c.cron("x", "every day", "a:b"), "malformed"),
        (lambda c: c.interval("x", "a:b:c:", seconds=1), "a:b:c:"),
        (lambda c: [c.interval("x", "a:b", seconds=1) for _ in range(2)], "there already"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(declare: Callable[[Any], None], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        declare(Functions().crons)
