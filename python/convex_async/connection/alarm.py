"""A wake-up call for one task."""

from __future__ import annotations

import asyncio


class Alarm:
    """As `asyncio.Event`, for a single waiter and at half its price: every call rings it."""

    __slots__ = ("_is_set", "_loop", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake whoever waits, or will wait before `clear`."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Let the next `wait` wait."""
        self._is_set = False

    def wait(self) -> asyncio.Future[None]:
        """What to await; done already if it is set."""
        self._waiter = self._loop.create_future()
        if self._is_set:
            self._waiter.set_result(None)
        return self._waiter
