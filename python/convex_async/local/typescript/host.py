"""Keeps a worker that runs functions, replaces one that hangs or dies, and tries its runs again.

One process runs everything. A second one stands in while the first does not answer; a function
that may be the reason is tried again in a process of its own, so that it takes no other along.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.typescript.entrance import Entrance
from convex_async.local.typescript.running import Running, WorkerLost
from convex_async.local.typescript.worker import TIMED_OUT, Syscalls, Worker, start_process

# Seconds between two looks at the workers while functions run.
WATCH_EVERY = 0.05
# Seconds without an answer after which another worker takes what comes.
SLOW = 0.1
# Seconds that a query or mutation may compute.
# Source: convex-backend crates/common/src/knobs.rs, DATABASE_UDF_USER_TIMEOUT.
USER_TIME = 1.0
# Seconds of the clock, for what blocks without computing.
BLOCKED = 5.0
# Seconds that a worker which nobody uses any more may compute without an answer.
ABANDONED = 60.0
# Times that a function is given again to a worker that others use after its worker was killed.
STRIKES = 2
# Workers that may fail to start, one after another.
MAX_FAILED_STARTS = 3

DIED = "The process that ran this function ended unexpectedly"
OUT_OF_MEMORY = "JavaScript execution ran out of memory (maximum memory usage: 64 MB)"
# Source: convex-backend crates/application, for an action whose process was lost.
TRANSIENT = "Transient error while executing action"

_log = logging.getLogger("convex_async.local")


class Host:
    """Runs functions of one bundle in processes that it supervises.

    Args:
        command: what starts a worker, without its last arguments.
        bundle: as `bundle.mjs` wrote it.
        env: the functions' environment variables.
        process_env: the process's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        bundle: Mapping[str, Any],
        env: Mapping[str, str],
        process_env: Mapping[str, str],
        syscalls: Syscalls,
    ) -> None:
        self._command = command
        self._bundle = bundle
        self._env = dict(env)
        self._process_env = process_env
        self._syscalls = syscalls
        self._entrance = Entrance()
        self._workers: set[Worker] = set()
        self._main: asyncio.Task[Worker] | None = None
        self._stand_in: asyncio.Task[Worker] | None = None
        self._suspects: set[tuple[str, bytes]] = set()
        self._strikes: Counter[tuple[str, bytes]] = Counter()
        self._failed_starts = 0
        self._is_closed = False
        self._closing: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_active = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._output_tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Open the socket that workers come to.

        Raises:
            OSError: it can't be opened.
        """
        await self._entrance.open()
        self._watcher = asyncio.create_task(self._watch())

    async def prepare(self) -> Worker:
        """A worker whose process has connected, and that has no bundle yet.

        Raises:
            OSError, DeploymentProblem: it can't be started.
        """
        secret = secrets.token_hex(16)
        process = await start_process(
            [*self._command, self._entrance.address, secret], self._process_env
        )
        worker = Worker(process, self._syscalls, self._ended)
        self._workers.add(worker)
        self._entrance.expect(secret, worker)
        output = asyncio.create_task(_collect(worker))
        self._output_tasks.add(output)
        output.add_done_callback(self._output_tasks.discard)
        try:
            await worker.connected()
        except BaseException:
            self._entrance.forget(secret)
            worker.kill()
            raise
        return worker

    async def begin(self, worker: Worker, bundle: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the first worker its bundle; what the modules declare.

        Raises:
            FunctionFailed: the bundle can't be evaluated.
        """
        self._bundle = bundle
        found = await self._load(worker, analyze=True)
        self._main = asyncio.ensure_future(_value(worker))
        return found

    async def _load(self, worker: Worker, *, analyze: bool) -> Mapping[str, Any]:
        message = {
            "bundle": self._bundle,
            "env": self._env,
            "analyze": analyze,
            "now": time.time() * 1e3,
            "seed": 1,
        }
        answer = await worker.ask("init 0 0", "ready", msgspec.json.encode(message))
        found: Mapping[str, Any] = msgspec.json.decode(answer)
        return found

    async def _start(self) -> Worker:
        try:
            worker = await self.prepare()
            await self._load(worker, analyze=False)
        except BaseException:
            self._failed_starts += 1
            raise
        self._failed_starts = 0
        return worker

    def set_env(self, env: Mapping[str, str]) -> None:
        """Have the functions see these variables from their next run on."""
        self._env = dict(env)
        for worker in self._workers:
            worker.post("env 0 0", msgspec.json.encode(self._env))

    async def close(self) -> None:
        """End all processes. Idempotent: who is cancelled meanwhile may wait again."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._is_closed = True
        if self._watcher is not None:
            self._watcher.cancel()
        for task in (self._main, self._stand_in, *self._tasks):
            if task is not None and not task.done():
                task.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers))
        if self._output_tasks:
            await asyncio.wait(self._output_tasks)
        self._entrance.close()

    # Running

    async def run(
        self, running: Callable[[], Running], start: Mapping[str, Any], payload: bytes
    ) -> bytes:
        """The result of a function; one that only reads is tried again if its worker is lost.

        Raises:
            FunctionFailed, FunctionProblem: it failed.
            WorkerLost: it has to be run again in another transaction.
        """
        while True:
            one = running()
            if one.key in self._suspects:
                return await self._run_alone(one, start, payload)
            worker = await self._worker()
            self._is_active.set()
            try:
                return await worker.run(one, start, payload)
            except WorkerLost:
                if start["kind"] != "query":
                    raise

    async def _run_alone(self, running: Running, start: Mapping[str, Any], payload: bytes) -> bytes:
        """Run what may be the reason of a lost worker in a process of its own."""
        worker = await self._start()
        self._is_active.set()
        try:
            result = await worker.run(running, start, payload)
            self._suspects.discard(running.key)
            return result
        except WorkerLost:
            self._suspects.discard(running.key)
            text = OUT_OF_MEMORY if b"heap out of memory" in worker.output else DIED
            raise FunctionProblem(text) from None
        finally:
            worker.is_abandoned = True
            self._end(worker)

    async def _worker(self) -> Worker:
        """A worker that answers."""
        for task in (self._main, self._stand_in):
            if task is not None and task.done() and not task.cancelled() and not task.exception():
                worker = task.result()
                if not worker.is_abandoned and not self._is_slow(worker):
                    return worker
        if self._main is None:
            self._main = self._tracked(self._start())
        elif self._stand_in is None and self._main.done():
            self._stand_in = self._tracked(self._start())
        task = self._main if self._stand_in is None else self._stand_in
        try:
            return await asyncio.shield(task)
        except (DeploymentProblem, OSError) as error:
            if task is self._main:
                self._main = None
            if task is self._stand_in:
                self._stand_in = None
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise DeploymentProblem("Internal", "WorkerFailed", str(error)) from None
            return await self._worker()

    def _is_slow(self, worker: Worker) -> bool:
        asked_at = worker.asked_at
        return asked_at is not None and time.monotonic() - asked_at > SLOW

    def _tracked(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Supervision

    async def _watch(self) -> None:
        while True:
            await self._is_active.wait()
            await asyncio.sleep(WATCH_EVERY)
            now = time.monotonic()
            for worker in list(self._workers):
                silent = worker.check(now)
                if silent > SLOW:
                    self._look_after(worker, silent)
            if not any(worker.runs for worker in self._workers):
                self._is_active.clear()

    def _look_after(self, worker: Worker, silent: float) -> None:
        """A worker does not answer: let another one stand in, and give it up in the end."""
        computed = worker.cpu_time() - worker.cpu_then
        reads = [run for run in worker.runs.values() if run.is_transaction]
        if worker.is_abandoned:
            if computed > ABANDONED:
                worker.kill()
            return
        if self._main is not None and self._main.done() and self._stand_in is None:
            self._stand_in = self._tracked(self._start())
        if not reads or (computed < USER_TIME and silent < BLOCKED):
            return
        actions = [run for run in worker.runs.values() if not run.is_transaction]
        # Frames are handled in their order, and each makes a run say something: the first run
        # that waits for no answer is the one that computes, unless that is an action.
        waiting = [run for run in reads if run.outstanding == 0] or reads
        culprit = min(waiting, key=lambda run: run.sent)
        if not actions:
            culprit.fail(FunctionProblem(TIMED_OUT))
            self._end_abandoned()
        else:
            self._suspects.add(culprit.key)
        for run in reads:
            run.fail(WorkerLost())
        self._replace(worker)
        if actions:
            # One of them may be what computes, as it may: the others' results are waited for.
            worker.is_abandoned = True
        else:
            worker.kill()

    def _end_abandoned(self) -> None:
        """A loop was found: workers that were left to their actions are in it, too."""
        for worker in self._workers:
            if worker.is_abandoned and worker.asked_at is not None:
                worker.kill()

    def _replace(self, worker: Worker) -> None:
        """Put the one that stands in, or a new one, in a worker's place."""
        for name in ("_main", "_stand_in"):
            task: asyncio.Task[Worker] | None = getattr(self, name)
            if (
                task is not None
                and task.done()
                and not task.cancelled()
                and not task.exception()
                and task.result() is worker
            ):
                setattr(self, name, None)
        if self._main is None and not self._is_closed:
            self._main, self._stand_in = self._stand_in, None
            if self._main is None:
                self._main = self._tracked(self._start())

    def _ended(self, worker: Worker) -> None:
        """A worker's process is gone: its runs are tried again, or fail."""
        if not worker.is_abandoned and not self._is_closed:
            self._replace(worker)
        self._tracked(self._settle(worker))

    async def _settle(self, worker: Worker) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await worker.process.wait()
        if worker.process.returncode is None:
            worker.kill()
            await worker.process.wait()
        self._workers.discard(worker)
        if worker.runs and not self._is_closed:
            _log.warning("%s", worker.why_it_ended())
        for run in list(worker.runs.values()):
            if not run.is_transaction:
                run.fail(FunctionProblem(TRANSIENT))
                continue
            self._strikes[run.key] += 1
            if not worker.was_killed or self._strikes[run.key] > STRIKES:
                self._suspects.add(run.key)
                del self._strikes[run.key]
            run.fail(WorkerLost())

    def _end(self, worker: Worker) -> None:
        async def end() -> None:
            await worker.close()
            self._workers.discard(worker)

        if not self._is_closed:
            self._tracked(end())

    # Looking at it

    @property
    def processes(self) -> list[int]:
        """The ids of the processes there are."""
        return [worker.process.pid for worker in self._workers]

    def memory(self) -> int:
        """Bytes that they occupy."""
        return sum(worker.memory() for worker in self._workers)


async def _collect(worker: Worker) -> None:
    """Keep the end of what the process writes to its error output."""
    stream = worker.process.stderr
    assert stream is not None
    while chunk := await stream.read(4096):
        worker.output = (worker.output + chunk)[-4096:]


async def _value(worker: Worker) -> Worker:
    return worker
