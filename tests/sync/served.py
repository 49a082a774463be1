"""A local deployment in a thread of its own, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from convex_async.local import Functions, LocalDeployment


@contextmanager
def served(functions: Functions) -> Iterator[LocalDeployment]:
    """The deployment, running until the block ends."""
    ready, stop = threading.Event(), asyncio.Event()
    started: list[tuple[LocalDeployment, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with LocalDeployment(functions) as deployment:
            started.append((deployment, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    deployment, loop = started[0]
    try:
        yield deployment
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
