"""The reader of a chat, as a program of its own, beside somebody who writes."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from examples.live_pages.backend import functions

from convex_async.local import LocalDeployment

ROOT = Path(__file__).parents[2]


async def test_a_reader_shows_what_is_sent_and_more_at_enter() -> None:
    async with LocalDeployment(functions) as deployment:
        for number in range(25):
            await deployment.run("messages:send", {"channel": "general", "body": f"m{number}"})
        reader = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "examples.live_pages.reader", "general"),
            cwd=ROOT,
            env={**os.environ, "CONVEX_URL": deployment.url},
            stdin=PIPE,
            stdout=PIPE,
        )
        assert reader.stdin is not None
        assert reader.stdout is not None

        async def screen() -> list[str]:
            assert reader.stdout is not None
            lines: list[str] = []
            while not lines or not lines[-1].startswith("--"):
                lines.append((await reader.stdout.readline()).decode().strip())
            return lines

        async with asyncio.timeout(30):
            assert await screen() == [
                *(f"m{number}" for number in range(24, 14, -1)),
                "-- 10 messages, can_load_more",
            ]
            await deployment.run("messages:send", {"channel": "general", "body": "new"})
            assert (await screen())[:2] == ["new", "m24"]
            for expected in ("-- 21 messages, can_load_more", "-- 26 messages, exhausted"):
                reader.stdin.write(b"\n")
                await reader.stdin.drain()
                assert (await screen())[-1] == expected
            reader.stdin.close()
            assert await reader.wait() == 0
