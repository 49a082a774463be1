"""All that runs later, begun and ended together."""

from __future__ import annotations

from convex_async.local.engine.engine import Engine
from convex_async.local.jobs.crons import CronRunner
from convex_async.local.jobs.scheduled import JobScheduler


class Jobs:
    """The scheduled functions and the crons of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._scheduled = JobScheduler(engine)
        self._crons = CronRunner(engine)

    async def start(self) -> None:
        """Take over what an earlier process left, and begin to run."""
        await self._scheduled.start()
        await self._crons.start()

    async def close(self) -> None:
        """Run nothing more. Idempotent."""
        await self._crons.close()
        await self._scheduled.close()
