"""The socket that workers come to, each with the secret that its process was started with."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from convex_async.local.typescript.frames import FrameReader
from convex_async.local.typescript.worker import Worker


class Entrance:
    """Where the processes connect, and how it is told whose connection one is.

    Attributes:
        address: what a process is given to find it: a path, or the number of a port.
    """

    def __init__(self) -> None:
        self.address: str = ""
        self._expected: dict[str, Worker] = {}
        self._server: asyncio.Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the socket can't be opened.
        """
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            self._server = await loop.create_server(
                lambda: _Greeting(self._expected), "127.0.0.1", 0
            )
            self.address = str(self._server.sockets[0].getsockname()[1])
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="convex-async-")
            self.address = str(Path(self._folder.name) / "socket")
            self._server = await loop.create_unix_server(
                lambda: _Greeting(self._expected), self.address
            )

    def expect(self, secret: str, worker: Worker) -> None:
        """Give the connection that says the secret to a worker."""
        self._expected[secret] = worker

    def forget(self, secret: str) -> None:
        """The process won't come."""
        self._expected.pop(secret, None)

    def close(self) -> None:
        """Let nobody in any more. Idempotent."""
        if self._server is not None:
            self._server.close()
        if self._folder is not None:
            self._folder.cleanup()


class _Greeting(asyncio.Protocol):
    """A connection whose worker is not known yet."""

    def __init__(self, expected: dict[str, Worker]) -> None:
        self._expected = expected
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        reader = FrameReader()
        for kind, _, _, _, secret in reader.feed(self._data):
            worker = self._expected.pop(secret.decode(), None) if kind == "hello" else None
            transport = self._transport
            assert transport is not None
            if worker is None:
                transport.close()
                return
            transport.set_protocol(worker)
            worker.attach(transport, b"")
            return
