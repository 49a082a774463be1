"""Which deployments run in which event loop of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_loops: dict[str, asyncio.AbstractEventLoop] = {}


@contextmanager
def served_here(url: str) -> Iterator[None]:
    """The running loop serves this URL until the block ends."""
    _loops[url] = asyncio.get_running_loop()
    try:
        yield
    finally:
        _loops.pop(url, None)


def is_served_here(url: str) -> bool:
    """Whether the loop that runs in this thread serves it: it can't while the thread waits."""
    loop = _loops.get(url)
    if loop is None:
        return False
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
