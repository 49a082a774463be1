"""A process that runs functions: started, spoken to, and watched."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec

from convex_async.errors import ConvexClientError
from convex_async.local.problems import DeploymentProblem, FunctionFailed, FunctionProblem
from convex_async.local.transactions.transaction import Conflict
from convex_async.local.typescript.frames import FrameReader, make_frame
from convex_async.local.typescript.running import Running, WorkerLost

# Seconds that a worker has to start.
START_TIMEOUT = 30.0
# Seconds for which nothing is heard of a worker before it is asked whether it lives.
QUIET = 0.1
# Bytes of its error output that are kept, to tell why it ended.
KEPT_OUTPUT = 4096

TIMED_OUT = "Function execution timed out (maximum duration: 1s)"


class Syscalls(Protocol):
    """Answers the calls of functions."""

    def perform(self, running: Running, op: str, payload: bytes) -> bytes | Awaitable[bytes]:
        """The answer of a call, or what will give it."""
        ...


class Failed(msgspec.Struct):
    """An error as a worker tells it; `data` is JSON text."""

    message: str
    frames: list[str] = []
    data: str | None = None

    def text(self) -> str:
        """The whole text: each frame is a line, and so is the last."""
        lines = [self.message, *self.frames]
        return "\n".join(lines) + ("\n" if self.frames else "")

    def error(self) -> FunctionFailed:
        """The failure that it is."""
        return FunctionFailed(self.text(), None if self.data is None else self.data.encode())


class Worker(asyncio.Protocol):
    """One process.

    Attributes:
        is_abandoned: whether it is given no further runs.
        asked_at: when it was asked whether it lives, and had not answered yet; None otherwise.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        syscalls: Syscalls,
        on_end: Callable[[Worker], None],
    ) -> None:
        self.process = process
        self.runs: dict[int, Running] = {}
        self.is_abandoned = False
        self.asked_at: float | None = None
        self.cpu_then: float = 0.0
        self.output = b""
        self._syscalls = syscalls
        self._on_end = on_end
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._is_flushing = False
        self._heard_at = time.monotonic()
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tables = 0
        self._sent = 0
        self.next_run: int = 0

    # The socket

    def attach(self, transport: asyncio.Transport, data: bytes) -> None:
        """The process has connected; `data` came after its greeting."""
        self._transport = transport
        if not self._connected.done():
            self._connected.set_result(None)
        if data:
            self.data_received(data)

    async def connected(self) -> None:
        """Wait until it has connected.

        Raises:
            DeploymentProblem: it ended instead.
        """
        ended = asyncio.ensure_future(self.process.wait())
        try:
            async with asyncio.timeout(START_TIMEOUT):
                both: set[asyncio.Future[Any]] = {self._connected, ended}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.kill()
        finally:
            ended.cancel()
        if not self._connected.done():
            raise DeploymentProblem("Internal", "WorkerFailed", self.why_it_ended())

    def post(self, head: str, *payload: bytes) -> None:
        """Send a frame, with all others of this turn of the loop."""
        self._out.append(make_frame(head, *payload))
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        if self._out and self._transport is not None:
            data = b"".join(self._out)
            self._out.clear()
            self._transport.write(data)

    async def ask(self, head: str, answer: str, *payload: bytes) -> bytes:
        """Send a frame, and wait for the one of type `answer`.

        Raises:
            DeploymentProblem: the process ended.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[answer] = future
        self.post(head, *payload)
        return await future

    def data_received(self, data: bytes) -> None:
        """Handle what the process says."""
        self._heard_at = time.monotonic()
        self._is_flushing = True  # what is answered at once leaves at the end
        for kind, run, call, op, payload in self._reader.feed(data):
            self._handle(kind, run, call, op, payload)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is ending."""
        self._transport = None
        self._on_end(self)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(
                    DeploymentProblem("Internal", "WorkerFailed", "the worker ended")
                )

    def _handle(self, kind: str, run: int, call: int, op: str, payload: bytes) -> None:
        running = self.runs.get(run)
        if running is None:
            match kind:
                case "pong":
                    self.asked_at = None
                case "ready" | "bad" | "stats":
                    future = self._answers.pop("ready" if kind == "bad" else kind, None)
                    if future is None or future.done():
                        return
                    if kind == "bad":
                        failed = msgspec.json.decode(payload, type=Failed)
                        future.set_exception(failed.error())
                    else:
                        future.set_result(payload)
            return  # anything else is of a run that was given up
        match kind:
            case "sys":
                running.outstanding += 1
                if running.is_busy:
                    running.queue.append((call, op, payload))
                else:
                    self._serve(run, running, call, op, payload)
            case "open":
                running.open(call, payload)
            case "rewind":
                stream = running.stream(call)
                if stream is not None:
                    stream.rewind(int(op))
            case "close":
                running.close_stream(call, int(op))
            case "log":
                running.invocation.run.log_line(f"[{op}] {payload.decode()}")
            case "done":
                running.succeed(payload)
            case "fail":
                running.fail(msgspec.json.decode(payload, type=Failed).error())
            case "late":
                running.fail(FunctionProblem(TIMED_OUT))
            case "stuck":
                if running.outstanding == 0:
                    running.fail(FunctionProblem("Returned promise will never resolve"))

    # Calls

    def _serve(self, run: int, running: Running, call: int, op: str, payload: bytes) -> None:
        try:
            answer = self._syscalls.perform(running, op, payload)
        except Exception as error:
            self._refuse(run, running, call, error)
            return
        if isinstance(answer, bytes):
            self._answer(run, running, call, answer)
        else:
            # In a transaction calls follow each other.
            running.is_busy = running.is_transaction
            task = asyncio.ensure_future(self._serve_later(run, running, call, answer))
            running.tasks.add(task)
            task.add_done_callback(running.tasks.discard)

    async def _serve_later(
        self, run: int, running: Running, call: int, work: Awaitable[bytes]
    ) -> None:
        try:
            self._answer(run, running, call, await work)
        except Exception as error:
            self._refuse(run, running, call, error)
        running.is_busy = False
        while running.queue and not running.is_busy:
            self._serve(run, running, *running.queue.popleft())

    def _answer(self, run: int, running: Running, call: int, payload: bytes) -> None:
        running.outstanding -= 1
        if run in self.runs:
            self._tell_tables(running)
            self._send(running, f"ok {run} {call}", payload)

    def _refuse(self, run: int, running: Running, call: int, error: Exception) -> None:
        running.outstanding -= 1
        if run not in self.runs:
            return
        told: dict[str, Any] = {"message": str(error)}
        match error:
            case Conflict() | DeploymentProblem():
                running.fail(error)  # no function may catch these
                return
            case FunctionFailed(text=text, data=data):
                told["message"] = text
                if data is not None:
                    told["data"] = msgspec.Raw(data)
            case FunctionProblem() | ConvexClientError():
                data = getattr(error, "data", None)
                if data is not None:
                    told["data"] = data
            case _:
                running.fail(error)
                return
        self._send(running, f"err {run} {call}", msgspec.json.encode(told))

    # Runs

    async def run(self, running: Running, start: Mapping[str, Any], payload: bytes) -> bytes:
        """The result of a function that runs here."""
        self.next_run += 1
        run = self.next_run
        self.runs[run] = running
        self._tell_tables(running)
        self._send(running, f"run {run} 0", msgspec.json.encode(start), b"\n", payload)
        if self._transport is None:
            self.runs.pop(run)
            raise WorkerLost
        try:
            return await running.done
        finally:
            if self.runs.pop(run, None) is not None and (
                running.done.cancelled() or running.done.exception() is not None
            ):
                self.post(f"drop {run} 0")
            running.close()

    def _send(self, running: Running, head: str, *payload: bytes) -> None:
        """Send a frame that makes a run go on; frames are handled in their order."""
        self._sent += 1
        running.sent = self._sent
        self.post(head, *payload)

    def _tell_tables(self, running: Running) -> None:
        """Tell the numbers of the tables, which ids are checked by, when there are more."""
        transaction = running.invocation.transaction
        if transaction is None:
            return
        numbers = transaction.store.table_numbers
        if len(numbers) != self._tables:
            self._tables = len(numbers)
            self.post("tables 0 0", msgspec.json.encode(numbers))

    def forget_tables(self) -> None:
        """Have the numbers of the tables told anew."""
        self._tables = 0

    # Watching

    def check(self, now: float) -> float:
        """Seconds for which it has not answered; asks whether it lives if it was quiet for long."""
        if self.asked_at is None:
            if self.runs and now - self._heard_at > QUIET:
                self.asked_at = now
                self.cpu_then = self.cpu_time()
                self.post("ping 0 0")
            return 0.0
        return now - self.asked_at

    def cpu_time(self) -> float:
        """Seconds that the process computed; of the clock where that can't be told."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, AttributeError):
            return time.monotonic()

    def memory(self) -> int:
        """Bytes that the process occupies; 0 where that can't be told."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):
            return 0

    # Ending

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        if self._transport is not None:
            self._transport.close()
        try:
            async with asyncio.timeout(1.0):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()

    @property
    def was_killed(self) -> bool:
        """Whether another process ended it."""
        return self.process.returncode == -signal.SIGKILL

    def why_it_ended(self) -> str:
        """Words for the log."""
        tail = self.output.decode(errors="replace").strip()
        code = self.process.returncode
        return f"the process that runs TypeScript ended ({code})" + (f": {tail}" if tail else "")


async def start_process(
    command: Sequence[str], env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Start a worker's process, apart from this one's terminal.

    Raises:
        OSError: it can't be started.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env),
        start_new_session=sys.platform != "win32",
    )
