"""Mutations that want the same documents take turns, so that each conflicts once at most."""

from __future__ import annotations

import asyncio

from convex_async.local.store.documents import Commit, IndexName
from convex_async.local.transactions.readset import KeyRange

Contested = tuple[IndexName, KeyRange]
"""A range of an index that one transaction read and another one wrote to."""


class Turns:
    """Queues for contested ranges: one for each, there as long as somebody stands in it."""

    def __init__(self) -> None:
        self._queues: dict[IndexName, dict[KeyRange, _Queue]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def queue(self, contested: Contested) -> _Queue:
        """The queue of a range."""
        name, read = contested
        queues = self._queues.setdefault(name, {})
        return queues.setdefault(read, _Queue())

    def forget(self, contested: Contested) -> None:
        """Drop the queue if nobody stands in it."""
        name, read = contested
        if not self._queues[name][read].length:
            del self._queues[name][read]
            if not self._queues[name]:
                del self._queues[name]

    def in_the_way(self, commit: Commit, turn: Turn | None) -> Contested | None:
        """A contested range that a commit writes to although it is another one's turn."""
        for name, keys in commit.keys.items():
            for read in self._queues.get(name, ()):
                if (turn is None or (name, read) not in turn.held) and any(k in read for k in keys):
                    return name, read
        return None


class _Queue:
    __slots__ = ("length", "lock")

    def __init__(self) -> None:
        self.length: int = 0
        self.lock: asyncio.Lock = asyncio.Lock()  # the first come is the first served


class Turn:
    """One mutation's places in the queues.

    Attributes:
        held: the ranges whose turn it is.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.held: set[Contested] = set()

    async def wait(self, contested: Contested) -> None:
        """Wait until it is the turn of this range too.

        All are let go and waited for in one order, so that no two wait for each other.
        """
        wanted = sorted({*self.held, contested}, key=_order)
        self.end()
        for one in wanted:
            queue = self._turns.queue(one)
            queue.length += 1
            try:
                await queue.lock.acquire()
            except BaseException:
                queue.length -= 1
                self._turns.forget(one)
                raise
            self.held.add(one)

    def end(self) -> None:
        """Let the next ones have their turn. Idempotent."""
        for one in self.held:
            queue = self._turns.queue(one)
            queue.length -= 1
            queue.lock.release()
            self._turns.forget(one)
        self.held.clear()


def _order(contested: Contested) -> tuple[IndexName, bytes, bool, bytes]:
    name, read = contested
    return name, read.low, read.high is None, read.high or b""
