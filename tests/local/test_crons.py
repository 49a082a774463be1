"""Crons: when they are due, and that one in trouble does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from convex_async.local import Functions
from convex_async.local.problems import DeploymentProblem
from tests.local.calls import read, running, until


def backend(seconds: float) -> tuple[Functions, list[int]]:
    functions = Functions()
    runs: list[int] = []

    @functions.internal_mutation("crons:count")
    async def count(ctx: Any, by: float) -> None:
        await ctx.db.insert("counts", {"by": by})
        runs.append(1)

    @functions.query("crons:all")
    async def counts(ctx: Any) -> Any:
        return [count["by"] for count in await ctx.db.query("counts").collect()]

    functions.crons.interval("count", "crons:count", {"by": 2}, seconds=seconds)
    return functions, runs


async def test_an_interval_runs_again_and_again() -> None:
    functions, runs = backend(0.03)
    async with running(functions) as engine:
        await until(lambda: len(runs) >= 3)
        assert set(await read(engine, "crons:all")) == {2}


async def test_a_cron_that_conflicts_ends_neither_itself_nor_the_others() -> None:
    functions, runs = backend(0.02)
    tries: list[int] = []

    @functions.internal_mutation("crons:conflict")
    async def conflict(ctx: Any) -> None:
        tries.append(1)
        raise DeploymentProblem("OCC", "OptimisticConcurrencyControlFailure", "again and again")

    functions.crons.interval("conflict", "crons:conflict", seconds=0.01)
    async with running(functions):
        await until(lambda: len(tries) >= 2)
        seen = len(runs)
        await until(lambda: len(runs) >= seen + 2)


@pytest.mark.parametrize(
    ("declare", "due"),
    [
        (lambda c: c.interval("x", "a:b", seconds=90), "2026-03-01T12:01:30"),
        (lambda c: c.daily("x", "a:b", hour_utc=11, minute_utc=30), "2026-03-02T11:30:00"),
        (lambda c: c.daily("x", "a:b", hour_utc=12, minute_utc=30), "2026-03-01T12:30:00"),
        (lambda c: c.cron("x", "0 0 1 * *", "a:b"), "2026-04-01T00:00:00"),
    ],
)
def test_the_next_time(declare: Callable[[Any], None], due: str) -> None:
    functions = Functions()
    declare(functions.crons)
    (cron,) = functions.crons.all.values()
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
    assert cron.following(noon) == datetime.fromisoformat(due + "+00:00").timestamp()


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda c: c.interval("x", "a:b", seconds=0), "above zero"),
        (lambda c: c.daily("x", "a:b", hour_utc=24, minute_utc=0), "no time 24:0"),
        (lambda c: c.cron("x", "every day", "a:b"), "malformed"),
        (lambda c: c.interval("x", "a:b:c:", seconds=1), "a:b:c:"),
        (lambda c: [c.interval("x", "a:b", seconds=1) for _ in range(2)], "there already"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(declare: Callable[[Any], None], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        declare(Functions().crons)
