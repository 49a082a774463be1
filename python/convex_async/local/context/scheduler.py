"""`ctx.scheduler`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from convex_async.codec.values import decode, encode_arguments
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.local.context.jobs import SCHEDULED, Job, ended
from convex_async.local.context.runs import Invocation
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.limits import check_arguments, size_of
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

# Seconds that a job may be ahead or late. Source: convex-backend crates/udf/src/validation.rs,
# validate_schedule_args.
HORIZON = 5 * 366 * 24 * 3600.0


class Scheduler:
    """`ctx.scheduler`: jobs are documents; a mutation's are written with its transaction."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._clock = invocation.engine.clock

    async def run_after(
        self,
        seconds: float | timedelta,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action so many seconds after this commit; returns the job's id.

        Args:
            seconds: from 0 to five years; or a `timedelta`.
        """
        delay = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        delay = _number("run_after", "seconds, or a timedelta", delay)
        if delay < 0:
            raise FunctionProblem(f"run_after takes seconds from 0 on, not {seconds!r}")
        return await self._schedule(self._clock.time() + delay, path, args)

    async def run_at(
        self,
        timestamp: float | datetime,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> str:
        """Run a mutation or action at a time; returns the job's id.

        Args:
            timestamp: seconds since the epoch, at most five years from now; or a `datetime`.
        """
        at = timestamp.timestamp() if isinstance(timestamp, datetime) else timestamp
        at = _number("run_at", "seconds since the epoch, or a datetime", at)
        return await self._schedule(at, path, args)

    async def cancel(self, job_id: str) -> None:
        """Do not run the job, or, if it is an action that runs, let nothing come of its end.

        Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs, cancel_job.
        """
        invocation = self._invocation
        if invocation.transaction is not None and job_id == invocation.run.job_id:
            raise FunctionProblem("A mutation cannot cancel itself")

        def cancel(transaction: Transaction) -> None:
            if not transaction.store.is_id(job_id, SCHEDULED):
                raise FunctionProblem(
                    "Invalid scheduled function ID. The ID must be an ID on the "
                    f"'{SCHEDULED}' table."
                )
            fields = transaction.get(job_id)
            if fields is not None and not Job.of(fields).is_over:
                transaction.patch_system(job_id, ended("canceled", transaction.now))

        await self._write(cancel)

    async def _schedule(
        self, at: float, path: str | FunctionReference, args: Mapping[str, Any] | None
    ) -> str:
        now = self._clock.time()
        if abs(at - now) > HORIZON:
            direction = "future: is it in milliseconds?" if at > now else "past"
            raise FunctionProblem(f"{at!r} is more than 5 years in the {direction}")
        name = self._check_function(str(path))
        wire = encode_arguments(args)
        arguments = decode(wire, root="args")
        check_arguments(name, wire)
        module, _, function = name.rpartition(":")
        job = Job(f"{module}.js:{function}", [arguments], at * 1e3)

        def schedule(transaction: Transaction) -> str:
            transaction.usage.scheduled(size_of(wire))
            return transaction.insert_system(SCHEDULED, job.fields())

        return await self._write(schedule)

    def _check_function(self, path: str) -> str:
        try:
            name = canonical_path(path)
        except ValueError as error:
            raise FunctionProblem(str(error)) from None
        declaration = self._invocation.engine.declaration(name)
        if declaration is None:
            raise FunctionProblem(f"Attempted to schedule function at nonexistent path: {name}")
        if declaration.kind == "query":
            raise FunctionProblem(
                f"Unsupported function type. {name} is defined as a Query. "
                "Only Mutation and Action can be scheduled."
            )
        return name

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        if self._invocation.transaction is not None:
            return work(self._invocation.transaction)
        return await self._invocation.engine.transact(work)


def _number(method: str, wanted: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FunctionProblem(f"{method} takes {wanted}, not {value!r}")
    if not math.isfinite(value):
        raise FunctionProblem(f"{method} takes a finite number, not {value!r}")
    return float(value)
