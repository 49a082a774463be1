"""Runs what functions scheduled, when it is due."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from functools import partial
from typing import Any

from convex_async.codec.values import encode_arguments
from convex_async.local.auth.identity import INTERNAL
from convex_async.local.context.jobs import SCHEDULED, Job, JobKind, begun, ended
from convex_async.local.engine.engine import Engine
from convex_async.local.jobs.retrying import LOST, until_done
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
        # When it is due, when it was scheduled, its id.
        self._due: list[tuple[float, float, str]] = []
        self._changed = asyncio.Event()
        self._clock = engine.clock
        self._is_held = False
        self._running: set[asyncio.Task[None]] = set()
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
                now = self._clock.time()
                while not self._is_held and self._due and self._due[0][0] <= now:
                    task = group.create_task(self._run_job(heapq.heappop(self._due)[-1]))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                delay = self._due[0][0] - now if self._due and not self._is_held else None
                try:
                    async with asyncio.timeout(delay):
                        await self._changed.wait()
                except TimeoutError:
                    pass

    # Time that is moved by hand

    async def hold(self) -> None:
        """Begin no job by itself any more, and wait for those that run."""
        self._is_held = True
        while self._running:
            await asyncio.wait(self._running)

    def release(self) -> None:
        """Begin jobs again when they are due. Idempotent."""
        self._is_held = False
        self._changed.set()

    def next_due(self) -> float:
        """When the next job is due, seconds since the epoch; infinite without one."""
        return self._due[0][0] if self._due else math.inf

    async def run_next(self) -> None:
        """Run the job that is due next, to its end, while all are held."""
        await self._run_job(heapq.heappop(self._due)[-1])

    # How

    async def _recover(self) -> None:
        """Queue the pending jobs; an action that an earlier process ran is not run again."""
        for document in list(self._engine.store.documents()):
            if document.table != SCHEDULED:
                continue
            job = Job.of(document.fields)
            if job.kind == "pending":
                self._add(document.document_id, document.fields)
            elif job.kind == "inProgress":
                await self._end(document.document_id, job, LOST)

    def _committed(self, commit: Commit) -> None:
        for write in commit.writes:
            after = write.after
            if after is not None and after.table == SCHEDULED and write.before is None:
                self._add(after.document_id, after.fields)

    def _add(self, job_id: str, fields: dict[str, Any]) -> None:
        due = (fields["scheduledTime"] / 1e3, fields["_creationTime"], job_id)
        heapq.heappush(self._due, due)
        self._changed.set()

    async def _run_job(self, job_id: str) -> None:
        async with self._slots:
            await until_done(f"the scheduled job {job_id}", partial(self._attempt, job_id))

    async def _attempt(self, job_id: str) -> None:
        job = self._get(job_id)
        if job is not None and job.kind == "inProgress":
            # The attempt before this one may have begun the action.
            await self._end(job_id, job, LOST)
            return
        if job is None or job.kind != "pending":
            return
        path, args = job.name, encode_arguments(job.args[0] if job.args else None)
        declaration = self._engine.declaration(path)
        kind = "mutation" if declaration is None else declaration.kind
        try:
            if kind == "action":
                await self._engine.transact(lambda t: self._begin(t, job_id))
                done = await self._engine.action(path, args, identity=INTERNAL, job_id=job_id)
                await self._end(job_id, job, _error_of(done.result))
                return
            run = await self._engine.mutation(
                path,
                args,
                identity=INTERNAL,
                job_id=job_id,
                # The mutation sees itself in progress; nobody else does before it has ended.
                begin=lambda t: self._begin(t, job_id),
                finish=lambda t: t.patch_system(job_id, ended("success", self._now())),
            )
        except Withdrawn:
            return
        if isinstance(run.result, Failure):
            await self._end(job_id, job, _error_of(run.result))

    def _get(self, job_id: str) -> Job | None:
        document = self._engine.store.get(job_id, self._engine.latest_ts)
        return None if document is None else Job.of(document.fields)

    @staticmethod
    def _begin(transaction: Transaction, job_id: str) -> None:
        fields = transaction.get(job_id)
        if fields is None or Job.of(fields).kind != "pending":
            raise Withdrawn
        transaction.patch_system(job_id, begun())

    async def _end(self, job_id: str, job: Job, error: str | None) -> None:
        """Record how a job ended, unless it was cancelled meanwhile; a failure is told too."""
        if error is not None:
            _log.error("the scheduled function %s failed: %s", job.name, error)

        def end(transaction: Transaction) -> None:
            fields = transaction.get(job_id)
            if fields is not None and not Job.of(fields).is_over:
                kind: JobKind = "success" if error is None else "failed"
                transaction.patch_system(job_id, ended(kind, self._now(), error))

        await self._engine.transact(end)

    def _now(self) -> float:
        """Ms since the epoch."""
        return self._clock.time() * 1e3

    async def _sweep(self) -> None:
        while True:
            try:
                await self._delete_finished(self._clock.time() - FINISHED_KEPT)
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


def _error_of(result: bytes | Failure) -> str | None:
    return result.text if isinstance(result, Failure) else None


def _delete_all(job_ids: list[str], transaction: Transaction) -> None:
    for job_id in job_ids:
        transaction.delete_system(job_id)
