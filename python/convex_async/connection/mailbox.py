"""The one slot between the driver and a consumer."""

from __future__ import annotations

import asyncio
from collections import deque

from convex_async.errors import ConvexClientError, LocalProtocolError
from convex_async.protocol.results import FunctionResult


class Mailbox:
    """What the driver delivers into, and one consumer waits at.

    The newest result wins: a slow consumer costs one slot. With a `buffer`, every state is kept,
    up to that many.

    Attributes:
        result: the newest result, None while loading.
        ts: its time, ns since the epoch.
        error: why no more results come: the client was closed, or the token refused.
    """

    __slots__ = ("_home", "_waiter", "buffer", "error", "overflowed", "result", "states", "ts")

    def __init__(self, buffer: int | None = None) -> None:
        self.result: FunctionResult | None = None
        self.ts: int = 0
        self.error: ConvexClientError | None = None
        self.buffer: int | None = buffer
        self.states: deque[tuple[int, FunctionResult]] | None = None if buffer is None else deque()
        self.overflowed: bool = False
        self._home = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_unread(self) -> bool:
        """Whether a result would be lost by another; only those know that somebody traces."""
        return False

    def deliver(self, result: FunctionResult, ts: int) -> None:
        """A newer result; whoever waits wakes."""
        self.result, self.ts = result, ts
        if self.states is not None and self.buffer is not None:
            if len(self.states) >= self.buffer:
                self.states.clear()
                self.overflowed = True
            self.states.append((ts, result))
        self._wake()

    def fail(self, error: ConvexClientError) -> None:
        """No results come before `recover`, or ever; whoever waits is told."""
        self.error = error
        self._wake()

    def recover(self) -> None:
        """Results come again; those from before are of another user."""
        self.error = self.result = None
        if self.states is not None:
            self.states.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def changed(self) -> None:
        """Wait for a delivery or an error.

        Raises:
            LocalProtocolError: another task waits already, or in another loop.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._home:
            raise LocalProtocolError(
                "a subscription belongs to the event loop that it was made in: subscribe again"
            )
        if self._waiter is not None:
            raise LocalProtocolError(
                "another task is waiting for this subscription; subscribe again instead, "
                "which costs no second query on the deployment"
            )
        self._waiter = loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
