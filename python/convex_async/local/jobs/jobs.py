"""All that runs later, begun and ended together."""

from __future__ import annotations

import asyncio

from convex_async.local.engine.engine import Engine
from convex_async.local.jobs.crons import CronRunner
from convex_async.local.jobs.scheduled import JobScheduler


class Jobs:
    """The scheduled functions and the crons of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._clock = engine.clock
        self._advancing = asyncio.Lock()
        self._scheduled = JobScheduler(engine)
        self._crons = CronRunner(engine)

    async def start(self) -> None:
        """Take over what an earlier process left, and begin to run."""
        await self._scheduled.start()
        await self._crons.start()

    async def advance(self, seconds: float) -> None:
        """Run what is due in the next seconds, in order, one after the other, without waiting.

        Each runs at its time, and time stands still while it does: what it schedules comes in
        its turn. An action that takes its time is waited for.

        Raises:
            ValueError: time does not go back.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"time is advanced by seconds, zero or more, not {seconds}")
        async with self._advancing:
            try:
                await self._crons.hold()
                await self._scheduled.hold()
                self._clock.stand(self._clock.time())
                until = self._clock.time() + seconds
                while (due := min(self._crons.next_due(), self._scheduled.next_due())) <= until:
                    self._clock.stand(due)
                    first = self._crons if due == self._crons.next_due() else self._scheduled
                    await first.run_next()
                self._clock.stand(until)
            finally:
                self._clock.go_on()
                self._scheduled.release()
                self._crons.release()

    async def swapped(self) -> None:
        """The functions are others now: so may be the crons."""
        await self._crons.swapped()

    async def close(self) -> None:
        """Run nothing more. Idempotent."""
        await self._crons.close()
        await self._scheduled.close()
