"""Runs what functions scheduled, when it is due."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import time
from functools import partial
from typing import Any

from convex_async.codec.values import encode_arguments
from convex_async.local.auth.identity import INTERNAL
from convex_async.local.context.scheduler import SCHEDULED
from convex_async.local.engine.engine import Engine
from convex_async.local.jobs.retrying import until_done
from convex_async.local.store.documents import Commit
from convex_async.local.transactions.outcome import Failure
from convex_async.local.transactions.transaction import Transaction

_log = logging.getLogger("convex_async.local")


# Jobs that run at a time. Source: convex-backend crates/common/src/knobs.rs,
# SCHEDULED_JOB_EXECUTION_PARALLELISM.
PARALLELISM = 8
# Seconds for which a finished job can be looked up: 7 days (docs.convex.dev/scheduling).
FINISHED_KEPT = 7 * 24 * 3600.0
# Finished jobs that one sweep's transaction deletes at most, and seconds between two sweeps.
SWEEP_SIZE = 1000
SWEEP_EVERY = 3600.0


class Withdrawn(Exception):
    """The job was cancelled while it ran: its transaction is given up."""


class JobScheduler:
    """Runs jobs when they are due: a mutation exactly once, an action at most once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._due: list[tuple[float, str]] = []
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(PARALLELISM)
        self._task: asyncio.Task[None] | None = None
        engine.on_commit.append(self._committed)

    async def start(self) -> None:
        """Take over the jobs of an earlier process, and begin to run jobs."""
        await self._recover()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Run nothing more. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep())
            while True:
                self._changed.clear()
                now = time.time()
                while self._due and self._due[0][0] <= now:
                    group.create_task(self._run_job(heapq.heappop(self._due)[1]))
                delay = self._due[0][0] - now if self._due else None
                try:
                    async with asyncio.timeout(delay):
                        await self._changed.wait()
                except TimeoutError:
                    pass

    async def _recover(self) -> None:
        """Queue the pending jobs; an action that an earlier process ran is not run again."""
        for document in list(self._engine.store.documents()):
            if document.table != SCHEDULED:
                continue
            if document.fields["state"]["kind"] == "pending":
                self._add(document.document_id, document.fields)
            elif document.fields["state"]["kind"] == "inProgress":
                await self._end(document.document_id, "failed")

    def _committed(self, commit: Commit) -> None:
        for write in commit.writes:
            after = write.after
            if after is not None and after.table == SCHEDULED and write.before is None:
                self._add(after.document_id, after.fields)

    def _add(self, job_id: str, job: dict[str, Any]) -> None:
        heapq.heappush(self._due, (job["scheduledTime"] / 1e3, job_id))
        self._changed.set()

    async def _run_job(self, job_id: str) -> None:
        async with self._slots:
            await until_done(f"the scheduled job {job_id}", partial(self._attempt, job_id))

    async def _attempt(self, job_id: str) -> None:
        job = self._engine.store.get(job_id, self._engine.latest_ts)
        if job is not None and job.fields["state"]["kind"] == "inProgress":
            # The attempt before this one may have begun the action.
            await self._end(job_id, "failed")
            return
        if job is None or job.fields["state"]["kind"] != "pending":
            return
        path, args = job.fields["name"], encode_arguments(job.fields["args"])
        function = self._engine.runtimes.get(path)
        if function is not None and function.kind == "action":
            try:
                await self._engine.transact(lambda t: self._begin(t, job_id))
            except Withdrawn:
                return
            run = await self._engine.action(path, args, identity=INTERNAL)
            await self._end(job_id, "failed" if isinstance(run.result, Failure) else "success")
            return

        def succeed(transaction: Transaction) -> None:
            self._check_pending(transaction, job_id)
            transaction.patch(job_id, _ended("success"))

        try:
            done = await self._engine.mutation(path, args, identity=INTERNAL, finish=succeed)
        except Withdrawn:
            return
        if isinstance(done.result, Failure):
            await self._end(job_id, "failed")

    def _begin(self, transaction: Transaction, job_id: str) -> None:
        self._check_pending(transaction, job_id)
        transaction.patch(job_id, {"state": {"kind": "inProgress"}})

    @staticmethod
    def _check_pending(transaction: Transaction, job_id: str) -> None:
        job = transaction.get(job_id)
        if job is None or job["state"]["kind"] != "pending":
            raise Withdrawn

    async def _end(self, job_id: str, kind: str) -> None:
        """Record how a job ended, unless it was cancelled meanwhile."""

        def end(transaction: Transaction) -> None:
            job = transaction.get(job_id)
            if job is not None and job["state"]["kind"] in ("pending", "inProgress"):
                transaction.patch(job_id, _ended(kind))

        await self._engine.transact(end)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._delete_finished(time.time() - FINISHED_KEPT)
            except Exception:
                _log.exception("finished jobs were not deleted")
            await asyncio.sleep(SWEEP_EVERY)

    async def _delete_finished(self, before: float) -> None:
        """Delete the jobs that had ended by a time, seconds since the epoch."""
        finished = [
            document.document_id
            for document in self._engine.store.documents()
            if document.table == SCHEDULED
            and document.fields.get("completedTime", math.inf) <= before * 1e3
        ]
        for start in range(0, len(finished), SWEEP_SIZE):
            batch = finished[start : start + SWEEP_SIZE]
            await self._engine.transact(partial(_delete_all, batch))


def _ended(kind: str) -> dict[str, Any]:
    return {"state": {"kind": kind}, "completedTime": time.time() * 1e3}


def _delete_all(job_ids: list[str], transaction: Transaction) -> None:
    for job_id in job_ids:
        transaction.delete(job_id)
