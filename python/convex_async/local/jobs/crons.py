"""Runs the crons when they are due, also those that were due while no process ran."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import Any

from convex_async.local.auth.identity import INTERNAL
from convex_async.local.definitions.crons import Cron
from convex_async.local.engine.engine import Engine
from convex_async.local.jobs.retrying import LOST, until_done
from convex_async.local.transactions.outcome import Failure
from convex_async.local.transactions.transaction import Transaction

CRONS = "_cron_jobs"

_log = logging.getLogger("convex_async.local")


class CronRunner:
    """Keeps when each cron is due in a table, so that a restart neither repeats nor forgets a run.

    A mutation's run and its next time are one transaction: each due run happens exactly once. An
    action's run is noted before it begins: it happens at most once. Of several runs that were due
    while no process ran, or while a run took too long, one happens.

    Source: convex-backend crates/application/src/cron_jobs/mod.rs.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._crons = engine.runtimes.crons
        self._ids: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._clock = engine.clock
        self._released = asyncio.Event()
        self._released.set()
        self._held = asyncio.Event()
        self._turns = {name: asyncio.Lock() for name in self._crons}

    async def start(self) -> None:
        """Take over what an earlier process left, and begin to run the crons."""
        if self._crons or any(d.table == CRONS for d in self._engine.store.documents()):
            self._ids = await self._engine.transact(self._declare)
        self._task = asyncio.create_task(self._run())

    async def swapped(self) -> None:
        """Take over the crons of now: those that stay go on, others begin or end."""
        await self.close()
        self._crons = self._engine.runtimes.crons
        self._turns = {name: asyncio.Lock() for name in self._crons}
        await self.start()

    async def close(self) -> None:
        """Run nothing more. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # Time that is moved by hand

    async def hold(self) -> None:
        """Begin no cron by itself any more, and wait for those that run."""
        self._released.clear()
        self._held.set()
        for turn in self._turns.values():
            async with turn:
                pass

    def release(self) -> None:
        """Run the crons again when they are due. Idempotent."""
        self._held.clear()
        self._released.set()

    def next_due(self) -> float:
        """When the next cron is due, seconds since the epoch; infinite without one."""
        return min(map(self._due_of, self._crons.values()), default=math.inf)

    async def run_next(self) -> None:
        """Run the cron that is due next, to its end, while all are held."""
        await self._run_once(min(self._crons.values(), key=self._due_of))

    # How

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for cron in self._crons.values():
                group.create_task(self._repeat(cron))

    def _declare(self, transaction: Transaction) -> dict[str, str]:
        """Add new crons, forget those that are gone, begin changed ones anew; the ids by name."""
        ids: dict[str, str] = {}
        now = self._clock.time()
        for document in list(self._engine.store.documents()):
            if document.table != CRONS:
                continue
            name, schedule = document.fields["name"], document.fields["schedule"]
            cron = self._crons.get(name)
            if cron is None:
                transaction.delete_system(document.document_id)
                continue
            ids[name] = document.document_id
            if schedule != str(cron.schedule):
                transaction.patch_system(ids[name], _due(cron, cron.schedule.first(now)))
        for cron in self._crons.values():
            if cron.name not in ids:
                first = _due(cron, cron.schedule.first(now))
                fields = {"name": cron.name, "state": {"kind": "pending"}, **first}
                ids[cron.name] = transaction.insert_system(CRONS, fields)
        return ids

    async def _repeat(self, cron: Cron) -> None:
        while True:
            await self._released.wait()
            try:
                async with asyncio.timeout(max(0.0, self._due_of(cron) - self._clock.time())):
                    await self._held.wait()
            except TimeoutError:
                if self._held.is_set():
                    continue
                async with self._turns[cron.name]:
                    await self._run_once(cron)

    def _due_of(self, cron: Cron) -> float:
        job = self._engine.store.get(self._ids[cron.name], self._engine.latest_ts)
        assert job is not None
        due: float = job.fields["scheduledTime"] / 1e3
        return due

    async def _run_once(self, cron: Cron) -> None:
        due = self._due_of(cron)
        await until_done(f"the cron {cron.name!r}", partial(self._attempt, cron, due))

    async def _attempt(self, cron: Cron, due: float) -> None:
        def complete(transaction: Transaction) -> None:
            following = cron.schedule.next(due, self._clock.time())
            changes = {"state": {"kind": "pending"}, **_due(cron, following)}
            transaction.patch_system(self._ids[cron.name], changes)

        def begin(transaction: Transaction) -> None:
            transaction.patch_system(self._ids[cron.name], {"state": {"kind": "inProgress"}})

        job = self._engine.store.get(self._ids[cron.name], self._engine.latest_ts)
        function = self._engine.runtimes.get(cron.path)
        result: bytes | Failure
        if job is not None and job.fields["state"]["kind"] == "inProgress":
            result = Failure(LOST, None, LOST)
        elif function is not None and function.kind == "action":
            await self._engine.transact(begin)
            result = (await self._engine.action(cron.path, cron.args, identity=INTERNAL)).result
        else:
            run = await self._engine.mutation(
                cron.path, cron.args, identity=INTERNAL, finish=complete
            )
            if run.ts is not None:
                return
            result = run.result
        if isinstance(result, Failure):
            _log.error("the cron %r failed: %s", cron.name, result.text)
        await self._engine.transact(complete)


def _due(cron: Cron, at: float) -> dict[str, Any]:
    return {"schedule": str(cron.schedule), "scheduledTime": at * 1e3}
