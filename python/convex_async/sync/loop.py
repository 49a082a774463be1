"""The event loop behind all blocking clients: one daemon thread a process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from convex_async.errors import LocalProtocolError

T = TypeVar("T")

# Seconds that the end of the program waits for clients that nobody closed.
EXIT_PATIENCE = 1.0

Close = Callable[[], Coroutine[Any, Any, None]]


class LoopThread:
    """An event loop in a daemon thread, to which other threads hand coroutines.

    A thread that waits holds no lock that Python code needs, the GIL included, and a signal
    wakes it: Ctrl-C ends the wait at once and cancels what was waited for.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="convex-async", daemon=True
        )
        self._open: dict[int, Close] = {}
        self._is_ending = False
        self._closing: set[asyncio.Task[None]] = set()
        self._thread.start()
        atexit.register(self._stop)

    def submit(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Begin a coroutine; `make` is called in the loop's thread.

        Raises:
            LocalProtocolError: this is the loop's own thread, or a fork of its process.
        """
        if self._pid != os.getpid():
            raise LocalProtocolError("a client does not survive fork(): make one in each process")
        if threading.get_ident() == self._thread.ident:
            raise LocalProtocolError(
                "a blocking call inside a callback of the same client would wait for itself"
            )

        async def run() -> T:
            return await make()

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for a coroutine's result, or raise what it raised.

        Raises:
            KeyboardInterrupt: at once, on Ctrl-C in the main thread; the coroutine is cancelled.
        """
        future = self.submit(make)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # of no effect on one that is done
            if self._is_ending and threading.current_thread().daemon:
                threading.Event().wait()  # the program is over: its daemon threads stop here
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Wait for a function to run in the loop's thread."""

        async def run() -> T:
            return function()

        return self.run(run)

    def post(self, function: Callable[[], object]) -> None:
        """Run a function in the loop's thread some time soon; from anywhere, never waits."""
        if self._pid == os.getpid():
            self._loop.call_soon_threadsafe(function)

    def adopt(self, key: int, close: Close) -> None:
        """Close a client at the end of the program, unless it is released before."""
        self._open[key] = close

    def release(self, key: int, *, wait: bool) -> None:
        """Close a client now; without `wait` from anywhere, also from the garbage collector."""
        close = self._open.pop(key, None)
        if close is None or self._pid != os.getpid():
            return
        if wait:
            self.run(close)
        else:
            self.post(lambda: self._close_soon(close))

    def _close_soon(self, close: Close) -> None:
        task = self._loop.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _stop(self) -> None:
        """End of the program: let sockets say goodbye, but not for long."""
        if self._pid != os.getpid():
            return

        self._is_ending = True

        async def close_all() -> None:
            async with asyncio.timeout(EXIT_PATIENCE):
                await asyncio.gather(*(close() for close in self._open.values()))

        with contextlib.suppress(Exception):  # there is nobody left to tell
            self.run(close_all)
        self.post(self._loop.stop)
        self._thread.join(EXIT_PATIENCE)
        if not self._thread.is_alive():
            self._loop.close()


class ClientThread:
    """One client's way to the loop of the process that first uses it.

    Nothing is begun before: a client may be made at import, and used after a fork.

    Args:
        close: of the client, in the loop.
    """

    def __init__(self, close: Close) -> None:
        self._close = close
        self._key = next(_keys)
        self._thread: LoopThread | None = None

    def get(self) -> LoopThread:
        """The thread, which closes the client at the end of the program."""
        if self._thread is None:
            thread = loop_thread()
            thread.adopt(self._key, self._close)
            self._thread = thread
        return self._thread

    def configure(self, function: Callable[[], T]) -> T:
        """Run a function that sets something up: here if the client is not in use yet."""
        return function() if self._thread is None else self._thread.call(function)

    def release(self, *, wait: bool) -> None:
        """Close the client; without `wait` from anywhere, also from the garbage collector."""
        if wait:
            self.get().release(self._key, wait=True)
        elif self._thread is not None:
            self._thread.release(self._key, wait=False)


_keys = itertools.count()
_lock = threading.Lock()
_shared: LoopThread | None = None


def loop_thread() -> LoopThread:
    """The thread that this process's blocking clients share, started at first use."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = LoopThread()
        return _shared


def _forget() -> None:
    """A fork has the loop's memory, but not its thread."""
    global _shared, _lock
    _shared, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forget)
