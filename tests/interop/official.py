"""The official clients as programs that this package's tests start."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NPM = HERE / "npm"


def need(tool: str) -> None:
    """Skip without the tool; in CI, that is a failure."""
    if shutil.which(tool) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{tool} is missing")
        pytest.skip(f"{tool} is not installed")


def pypi(program: str) -> list[str]:
    """The command that runs one of the programs for the PyPI clients."""
    return [sys.executable, str(HERE / program)]


def npm(program: str) -> list[str]:
    """The command that runs one of the programs for the npm clients."""
    return ["node", str(NPM / program)]


class Program:
    """A running program that tells what happens, a JSON line each, and takes lines as orders."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def events(self) -> AsyncIterator[tuple[str, Any]]:
        """What it tells, as (what, value), until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"{"):  # the clients print what functions log, too
                event = json.loads(line)
                yield event["what"], event["value"]

    async def order(self, line: str) -> None:
        """Write a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def succeeded(self) -> None:
        """Wait for its end, which has to be a good one."""
        assert self._process.stderr is not None
        errors = await self._process.stderr.read()
        assert await self._process.wait() == 0, errors.decode()


@asynccontextmanager
async def started(command: list[str], url: str) -> AsyncIterator[Program]:
    """Run a program against a deployment; it is gone when the block ends, after 30 s at most."""
    process = await asyncio.create_subprocess_exec(
        *command, url, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(30):
            yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
