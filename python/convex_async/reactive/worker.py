"""A service that works through a queue of jobs: woken by a subscription, each job claimed once."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sized
from typing import Any

from convex_async.errors import ConvexClientError, FunctionError, LocalProtocolError
from convex_async.function_path import FunctionReference
from convex_async.reactive.job import Job
from convex_async.reactive.job_calls import JobCalls, WorkerClient
from convex_async.reactive.signals import told_of_signals

logger = logging.getLogger("convex_async.worker")

# Seconds before claiming again when the claim failed, or when it gave nothing twice although
# `ready` says that a job waits; doubled each time up to the second.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0


class Worker:
    """Claims jobs while there are any, and runs them.

    The deployment has the queue, and functions of yours that the worker calls: docs/workers.md has
    them for TypeScript and Python. A claim is one mutation, which is applied once over any number
    of reconnects, so that any number of workers share a queue and no job is claimed twice.

    Args:
        client: a `ConvexClient`, or one bound to arguments such as a secret.
        ready: a query that is truthy while a job waits: how many there are, or a list of them.
        claim: a mutation that takes `worker` and gives the document of a job, or null.
        run: gets the document; what it returns is the job's result.
        complete: a mutation that takes `id`, `worker` and `result`.
        fail: a mutation that takes `id`, `worker` and `error`, a text.
        heartbeat: a mutation that takes `id` and `worker`; false says that the claim is lost, and
            cancels `run`.
        heartbeat_interval: seconds between two heartbeats of a job.
        concurrency: jobs that run at a time.
        name: tells workers apart; host, process and a random number if not given.
        type: of a job's document, as `mutation` takes it.
        handle_signals: stop at SIGTERM and SIGINT, if `run` is called in the main thread.

    Attributes:
        completed, failed, lost: jobs so far that ended this way.
    """

    def __init__(
        self,
        client: WorkerClient,
        *,
        ready: str | FunctionReference,
        claim: str | FunctionReference,
        run: Callable[[Any], Awaitable[Any]],
        complete: str | FunctionReference,
        fail: str | FunctionReference,
        heartbeat: str | FunctionReference | None = None,
        heartbeat_interval: float = 10.0,
        concurrency: int = 4,
        name: str | None = None,
        type: Any = None,
        handle_signals: bool = True,
    ) -> None:
        if concurrency < 1 or heartbeat_interval <= 0:
            raise ValueError("concurrency is at least 1, heartbeat_interval seconds above zero")
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.completed = self.failed = self.lost = 0
        self._client = client
        self._ready = ready
        self._claim = claim
        self._handler = run
        self._complete = complete
        self._fail = fail
        self._heartbeat = heartbeat
        self._heartbeat_interval = heartbeat_interval
        self._concurrency = concurrency
        self._type = None if type is None else type | None
        self._handle_signals = handle_signals
        self._call = JobCalls(client)
        self._waiting = 0
        self._nulls = 0
        self._pause: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._claims: set[asyncio.Task[None]] = set()
        self._jobs: dict[asyncio.Task[None], Job] = {}
        self._is_running = self._is_stopping = self._gives_back = self._has_claimed = False
        self._failure: BaseException | None = None

    def __repr__(self) -> str:
        state = "stopping" if self._is_stopping else "running" if self._is_running else "idle"
        return f"<Worker {self.name!r} {state}, {len(self._jobs)} jobs>"

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._jobs)

    async def run(self) -> None:
        """Work until `stop` or a signal; what was begun is finished first.

        If this is cancelled, so is what runs: those jobs stay claimed until their claims lapse.

        Raises:
            ConvexClientError: claiming fails for good, or no state of `ready` will come; what was
                begun is finished first.
            LocalProtocolError: it runs already.
        """
        if self._is_running:
            raise LocalProtocolError("the worker runs already")
        self._is_running, self._is_stopping, self._failure = True, False, None
        self._gives_back = False
        following = asyncio.create_task(self._follow(self._client.subscribe(self._ready)))
        try:
            if self._handle_signals:
                with told_of_signals(self._signalled):
                    await self._work()
            else:
                await self._work()
        finally:
            self._is_running = False
            tasks = [following, *self._claims, *self._jobs]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._resume()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Claim no more; `run` returns when all that was begun is finished. Idempotent."""
        self._is_stopping = True
        self._wake.set()

    def _signalled(self) -> None:
        if not self._is_stopping:
            logger.info("%s: stopping, %d jobs are finished first", self.name, len(self._jobs))
            self.stop()
            return
        logger.warning("%s: stopping now, %d jobs are given back", self.name, len(self._jobs))
        self._gives_back = True
        for job in self._jobs.values():
            job.give_back()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            if not self._is_stopping:
                self._claim_what_waits()
            elif not self._claims and not self._jobs:
                return
            await self._wake.wait()

    async def _follow(self, states: Any) -> None:
        """Know how many jobs wait."""
        async with states:
            while True:
                try:
                    async for state in states:
                        self._waits(_count(state))
                    return
                except FunctionError as error:  # it recovers when the query does
                    logger.error("%s: %s fails: %s", self.name, self._ready, error)
                    self._waits(0)
                except ConvexClientError as error:
                    self._give_up(error)
                    return

    def _waits(self, count: int) -> None:
        self._waiting = count
        self._nulls = 0
        self._resume()  # what made it wait may be over
        self._wake.set()

    def _give_up(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self.stop()

    # Claims

    def _claim_what_waits(self) -> None:
        if self._pause is not None:
            return
        under_way = len(self._claims)
        free = self._concurrency - len(self._jobs) - under_way
        for _ in range(min(free, self._waiting - under_way)):
            task = asyncio.create_task(self._claim_one())
            self._claims.add(task)
            task.add_done_callback(self._claimed)

    def _claimed(self, task: asyncio.Task[None]) -> None:
        self._claims.discard(task)
        self._wake.set()
        if not task.cancelled() and (bug := task.exception()) is not None:
            self._give_up(bug)

    async def _claim_one(self) -> None:
        try:
            document = await self._call(self._claim, {"worker": self.name}, self._type)
        except ConvexClientError as error:
            # A function that has worked before is not there, or fails, for a while only: a new
            # version of it is on its way. One that never has will not.
            has_worked = isinstance(error, FunctionError) and self._has_claimed
            if not (error.retryable or has_worked):
                self._give_up(error)
                return
            logger.warning("%s: %s failed, to be tried again: %s", self.name, self._claim, error)
            self._nulls += 1
            self._rest()
            return
        self._has_claimed = True
        if document is None:
            self._nulls += 1
            # Another worker was faster. `ready` as it shows by now includes that: if it still
            # says that a job waits, one came meanwhile. Where the two functions do not agree,
            # that would go on for ever, and as fast as it can.
            if self._nulls > 1:
                self._rest()
            return
        self._nulls = 0
        self._begin(document)

    def _rest(self) -> None:
        """Claim no more for a while, or until `ready` changes."""
        if self._pause is None:
            delay = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._nulls - 1, 10))
            self._pause = asyncio.get_running_loop().call_later(delay, self._resume)

    def _resume(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
            self._wake.set()

    # Jobs

    def _begin(self, document: Any) -> None:
        id = _id_of(document)
        for job in self._jobs.values():
            if job.id == id:
                job.lose()  # its claim lapsed, and was had again
        job = Job(
            id,
            self.name,
            self._call,
            complete=self._complete,
            fail=self._fail,
            heartbeat=self._heartbeat,
            interval=self._heartbeat_interval,
        )
        if self._gives_back:
            job.give_back()  # the claim was under way
        task = asyncio.create_task(job.run(self._handler, document))
        self._jobs[task] = job
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        job = self._jobs.pop(task)
        self._wake.set()
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._give_up(error)
        elif job.outcome == "completed":
            self.completed += 1
        elif job.outcome == "failed":
            self.failed += 1
        else:
            self.lost += 1


def _count(state: Any) -> int:
    """How many jobs wait, at least."""
    if not state:
        return 0
    if isinstance(state, int | float) and not isinstance(state, bool):
        return max(1, int(state))
    if isinstance(state, Sized) and not isinstance(state, str | bytes | Mapping):
        return len(state)
    return 1


def _id_of(document: Any) -> str:
    id: str
    if isinstance(document, Mapping):
        id = document["_id"]  # pyright: ignore[reportUnknownVariableType]
    else:
        id = document._id if hasattr(document, "_id") else document.id
    return id
