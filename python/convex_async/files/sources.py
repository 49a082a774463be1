"""Stored files: what uploads and downloads share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Callable
from typing import Protocol, TypeAlias

import aiohttp

from convex_async.transport.http import CONNECT_TIMEOUT

# Bytes read, hashed or written in one go outside the loop.
CHUNK = 2**18

Progress: TypeAlias = Callable[[int, int | None], object]
"""Told the bytes so far and the total, None if it is not known."""


class ReadableFile(Protocol):
    """A file open for reading in binary mode."""

    def read(self, size: int, /) -> bytes: ...


Source: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | ReadableFile | AsyncIterable[bytes]
)
"""What can be uploaded: a path, bytes, a file open in binary mode, or a stream of chunks."""


class WritableFile(Protocol):
    """A file open for writing in binary mode."""

    def write(self, data: bytes, /) -> object: ...


class Patience:
    """Ends a transfer that has stood still for too long; waiting for the user's own side is free.

    Args:
        seconds: None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.limit: asyncio.Timeout = asyncio.timeout(seconds)

    def renew(self) -> None:
        """Something moved."""
        if self.seconds is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.seconds)

    def pause(self) -> None:
        """The user's side is at work."""
        self.limit.reschedule(None)


def no_limit() -> aiohttp.ClientTimeout:
    """Time is kept by `Patience`; only a connection has its own limit."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
