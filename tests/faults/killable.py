"""A deployment in a process of its own, which can be killed and started again on its file."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Self

from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions


class KillableDeployment:
    """Serves the functions of the integration tests, on one port, from one SQLite file."""

    def __init__(self, path: Path, port: int) -> None:
        self.port = port
        self._path = path
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.killable", str(self._path), str(self.port)),
            stdout=PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"listening\n"

    async def kill(self) -> None:
        """As the kernel does when memory is short: no goodbye, nothing flushed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        assert await self._process.wait() == -signal.SIGKILL

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.kill()


async def serve(path: str, port: int) -> None:
    async with LocalDeployment(make_functions(), path, port=port):
        print("listening", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
