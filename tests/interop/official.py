"""The official clients as programs, which take orders and give an answer to each.

An order is a JSON line such as `{"do": "query", "path": "log:read", "args": {}}`; its answer is
`{"value": …}`, or `{"error": text}` with `data` if a ConvexError was thrown. Values are in the
wire's encoding. A client that needs a token asks by a line of its own, `{"token": force_refresh}`,
which the order `{"do": "token", "value": …}` answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import LocalDeployment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NPM = HERE / "npm"

# Seconds that a program may take for one answer.
PATIENCE = 20.0
# The PyPI client sometimes hangs by itself, holding the interpreter's lock: times to start anew.
ATTEMPTS = 3

ABSENT = object()


def need(tool: str) -> None:
    """Skip without the tool; in CI, that is a failure."""
    if shutil.which(tool) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{tool} is missing")
        pytest.skip(f"{tool} is not installed")


def built(package: str) -> Path:
    """A program of the workspace, built by cargo."""
    need("cargo")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "debug" / package


def npm(kind: str) -> list[str]:
    """The command of an npm client: `simple`, `base` or `http`."""
    return ["node", str(NPM / "peer.cjs"), kind]


def pypi(kind: str) -> list[str]:
    """The command of a PyPI client: `socket` or `http`."""
    return [sys.executable, str(HERE / "pypi_peer.py"), kind]


def rust() -> list[str]:
    """The command of the Rust client."""
    return [str(built("convex-async-rust-peer"))]


class Failed(Exception):
    """The client raised; `data` is that of a ConvexError in the wire's encoding, else ABSENT."""

    def __init__(self, message: str, data: Any) -> None:
        super().__init__(message)
        self.data = data


@dataclass
class Peer:
    """A running program.

    Attributes:
        tokens: makes the tokens that it asks for, given whether it wants a fresh one.
        forced: what it asked for so far.
    """

    process: Process
    tokens: Callable[[bool], str] | None = None
    forced: list[bool] = field(default_factory=list[bool])
    _asked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _answers: asyncio.Queue[dict[str, Any]] = field(
        default_factory=asyncio.Queue[dict[str, Any]], repr=False
    )

    async def __call__(self, do: str, path: str | None = None, /, **more: Any) -> Any:
        """Give an order and wait for its answer.

        Raises:
            Failed: the client raised.
            TimeoutError: there is no answer.
        """
        await self._order({"do": do, **({} if path is None else {"path": path}), **more})
        async with asyncio.timeout(PATIENCE):
            answer = await self._answers.get()
        if "error" in answer:
            raise Failed(answer["error"], answer.get("data", ABSENT))
        return answer["value"]

    async def query(self, path: str, args: Any = None) -> Any:
        """The value of a query."""
        return await self("query", path, args=args or {})

    async def mutation(self, path: str, args: Any = None) -> Any:
        """The value of a mutation."""
        return await self("mutation", path, args=args or {})

    async def next(self) -> Any:
        """The next state of the subscribed query."""
        return await self("next")

    async def asked(self, times: int) -> None:
        """Wait until it has asked for so many tokens, and was given them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.forced) < times:
                self._asked.clear()
                await self._asked.wait()

    async def listen(self) -> None:
        """Read what the program tells, until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if not line.startswith(b"{"):
                continue  # the clients print what functions log, too
            answer = json.loads(line)
            if "token" in answer:
                assert self.tokens is not None
                await self._order({"do": "token", "value": self.tokens(answer["token"])})
                self.forced.append(answer["token"])
                self._asked.set()
            else:
                self._answers.put_nowait(answer)
        assert self.process.stderr is not None
        errors = (await self.process.stderr.read()).decode()
        self._answers.put_nowait({"error": f"the program ended: {errors}"})

    async def _order(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()


@asynccontextmanager
async def started(command: list[str], deployment: LocalDeployment) -> AsyncIterator[Peer]:
    """Run a program against a deployment; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *command, deployment.url, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=64 * 2**20
    )
    peer = Peer(process)
    listening = asyncio.create_task(peer.listen())
    try:
        yield peer
    finally:
        listening.cancel()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def patiently(command: list[str], scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; with the PyPI client, which may hang, begin anew if it does."""
    attempts = ATTEMPTS if str(HERE / "pypi_peer.py") in command else 1
    for attempt in range(attempts):
        try:
            await scenario()
            return
        except TimeoutError:
            if attempt == attempts - 1:
                raise
