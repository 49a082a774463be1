"""A pair of ends in memory, for tests that want no sockets."""

from __future__ import annotations

import asyncio

from convex_async.transport.base import ConnectionClosed


class MemoryTransport:
    """One end; what one end sends, the other receives. `cut` ends both at once."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[bytes | ConnectionClosed | None] = asyncio.Queue()
        self._peer = self
        self._closed: ConnectionClosed | None = None

    @classmethod
    def pair(cls) -> tuple[MemoryTransport, MemoryTransport]:
        """Two connected ends."""
        one, other = cls(), cls()
        one._peer, other._peer = other, one
        return one, other

    async def send(self, frame: bytes) -> None:
        if self._closed is not None:
            raise self._closed
        self._peer._frames.put_nowait(frame)

    async def receive(self) -> bytes | None:
        if self._closed is not None and self._frames.empty():
            raise self._closed
        frame = await self._frames.get()
        if isinstance(frame, ConnectionClosed):
            raise frame
        return frame

    async def close(self, *, timeout: float) -> None:
        self.cut("closed with code 1000")

    def ping(self) -> None:
        """Send a mere sign of life."""
        self._peer._frames.put_nowait(None)

    def cut(self, reason: str) -> None:
        """End the connection for both, for this reason; frames under way still arrive."""
        for end in (self, self._peer):
            if end._closed is None:
                end._closed = ConnectionClosed(reason)
                end._frames.put_nowait(end._closed)
