"""`ctx.scheduler`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from convex_async.codec.values import decode, encode_arguments
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.local.context.runs import Runs
from convex_async.local.store.limits import size_of
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

SCHEDULED = "_scheduled_functions"


class Scheduler:
    """`ctx.scheduler`: jobs are documents; a mutation's are written with its transaction."""

    def __init__(self, runs: Runs, transaction: Transaction | None) -> None:
        self._runs = runs
        self._transaction = transaction

    async def run_after(
        self,
        seconds: float,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action so many seconds after this commit; returns the job's id."""
        return await self.run_at(time.time() + max(seconds, 0.0), path, args)

    async def run_at(
        self,
        timestamp: float,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action at a time, seconds since the epoch; returns the job's id."""
        job = {
            "name": canonical_path(path),
            "args": decode(encode_arguments(args)),
            "scheduledTime": float(timestamp) * 1e3,
            "state": {"kind": "pending"},
        }

        def schedule(transaction: Transaction) -> str:
            transaction.usage.scheduled(size_of(job["args"]))
            return transaction.insert_system(SCHEDULED, job)

        return await self._write(schedule)

    async def cancel(self, job_id: str) -> None:
        """Do not run the job, if it has not begun."""

        def cancel(transaction: Transaction) -> None:
            job = transaction.get(job_id)
            if job is not None and job["state"]["kind"] == "pending":
                ended = {"state": {"kind": "canceled"}, "completedTime": transaction.now}
                transaction.patch(job_id, ended)

        await self._write(cancel)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        if self._transaction is not None:
            return work(self._transaction)
        return await self._runs.transact(work)
