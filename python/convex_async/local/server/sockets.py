"""The sockets that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Socket(Protocol):
    """What a deployment can do to a client's socket."""

    def abort(self) -> None: ...
    async def drain(self) -> None: ...
    def freeze(self) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def fatal(self, message: str) -> None: ...
    def skew_version(self) -> None: ...
    def expire_token(self) -> None: ...


class Sockets:
    """The sockets of one deployment."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, socket: Socket) -> None:
        """A socket begins."""
        self._open.add(socket)

    def discard(self, socket: Socket) -> None:
        """A socket has ended. Idempotent."""
        self._open.discard(socket)

    def each(self, act: Callable[[Socket], None]) -> int:
        """Do something to every socket; returns how many there are."""
        sockets = list(self._open)
        for socket in sockets:
            act(socket)
        return len(sockets)

    async def drain(self) -> None:
        """End every socket in order."""
        await asyncio.gather(*(socket.drain() for socket in self._open))
