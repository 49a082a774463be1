"""Time that is moved by hand: what runs meanwhile, in which order, and at what time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import Functions, LocalDeployment
from tests.local.calls import until


class Backend:
    """Functions that note when they ran, in seconds after the first."""

    def __init__(self) -> None:
        self.functions = functions = Functions()
        self.ran: list[tuple[str, float]] = []
        self.began = 0.0
        self.go_on = asyncio.Event()

        @functions.mutation("jobs:after")
        async def after(ctx: Any, seconds: float, text: str) -> None:
            self.began = self.began or ctx.now
            await ctx.scheduler.run_after(seconds, "jobs:note", {"text": text})

        @functions.mutation("jobs:note")
        async def note(ctx: Any, text: str) -> None:
            self.note(text, ctx.now)
            await ctx.db.insert("notes", {"text": text})

        @functions.mutation("jobs:every_ten")
        async def every_ten(ctx: Any) -> None:
            self.note("ten", ctx.now)
            await ctx.scheduler.run_after(10, "jobs:every_ten")

        @functions.action("jobs:slow")
        async def slow(ctx: Any) -> None:
            await self.go_on.wait()
            await ctx.run_mutation("jobs:note", {"text": "slow"})

        @functions.mutation("jobs:start_slow")
        async def start_slow(ctx: Any) -> None:
            await ctx.scheduler.run_after(0, "jobs:slow")

    def note(self, text: str, now: float) -> None:
        self.began = self.began or now
        self.ran.append((text, (now - self.began) / 1e3))

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.ran]


async def test_jobs_run_in_the_order_in_which_they_are_due() -> None:
    backend = Backend()
    async with LocalDeployment(backend.functions) as deployment:
        for seconds, text in [(30, "c"), (10, "a"), (20, "b"), (20, "b too"), (41, "late")]:
            await deployment.run("jobs:after", {"seconds": seconds, "text": text})
        began = time.monotonic()
        await deployment.advance(40)
        assert time.monotonic() - began < 5
        assert backend.texts == ["a", "b", "b too", "c"]
        for (_, at), due in zip(backend.ran, [10, 20, 20, 30], strict=True):
            assert at == pytest.approx(due, abs=2)
        assert [note["text"] for note in deployment.tables["notes"]] == backend.texts
        await deployment.advance(10)
        assert backend.texts[-1] == "late"


async def test_what_a_job_schedules_comes_in_its_turn() -> None:
    backend = Backend()
    async with LocalDeployment(backend.functions) as deployment:
        await deployment.run("jobs:every_ten")
        await deployment.advance(60)
        assert len(backend.ran) == 7
        # The times are exact: none drifts by what the run before it took.
        for number, (_, at) in enumerate(backend.ran):
            assert at == pytest.approx(10 * number, abs=0.01)


async def test_each_cron_runs_as_often_as_in_that_time() -> None:
    backend = Backend()
    functions = backend.functions
    functions.crons.interval("often", "jobs:note", {"text": "minute"}, seconds=60)
    functions.crons.cron("hourly", "30 * * * *", "jobs:note", {"text": "hour"})
    functions.crons.daily("daily", "jobs:note", {"text": "day"}, hour_utc=3, minute_utc=15)
    async with LocalDeployment(functions) as deployment:
        await deployment.advance(24 * 3600)
        counts = {text: backend.texts.count(text) for text in ("minute", "hour", "day")}
        assert counts == {"minute": 24 * 60 + 1, "hour": 24, "day": 1}
        times = [at for _, at in backend.ran]
        assert times == sorted(times)


async def test_what_runs_already_is_waited_for() -> None:
    backend = Backend()
    async with LocalDeployment(backend.functions) as deployment:
        await deployment.run("jobs:start_slow")
        advancing = asyncio.create_task(deployment.advance(1))
        await asyncio.sleep(0)
        backend.go_on.set()
        await advancing
        assert backend.texts == ["slow"]


async def test_time_goes_on_from_where_it_was_moved(tmp_path: Path) -> None:
    backend = Backend()
    async with LocalDeployment(backend.functions, tmp_path / "data.sqlite3") as deployment:
        await deployment.run("jobs:after", {"seconds": 3600, "text": "a"})
        await deployment.advance(3599.95)
        assert backend.ran == []
        await until(lambda: bool(backend.ran))  # the rest passes by itself
        await deployment.run("jobs:note", {"text": "b"})
        assert backend.ran[-1][1] == pytest.approx(3600, abs=5)


async def test_time_does_not_go_back() -> None:
    async with LocalDeployment(Functions()) as deployment:
        for seconds in (-1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="zero or more"):
                await deployment.advance(seconds)
