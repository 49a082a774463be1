"""What was acknowledged survives SIGKILL, once; what was not is there wholly or not at all."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from convex_async.local import Functions
from tests.local.calls import ADMIN, read, running, value_of

SESSION = "00000000-0000-4000-8000-000000000000"
# Both halves of a mutation's writes carry its number.
STORM = """
import asyncio, sys
from pathlib import Path
from convex_async.codec import encode_arguments
from tests.local.calls import running
from tests.local.test_durability import SESSION, backend

async def main():
    async with running(backend(), Path(sys.argv[1])) as engine:
        async def send(n):
            args = encode_arguments({"n": n})
            run = await engine.mutation("n:add", args, identity=None, session=(SESSION, n))
            assert run.ts is not None
            print(n, flush=True)
        first = int(sys.argv[2])
        for n in range(first, first + 10**6, 8):
            await asyncio.gather(*map(send, range(n, n + 8)))

asyncio.run(main())
"""


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("n:add")
    async def add(ctx: Any, n: float) -> None:
        await ctx.db.insert("left", {"n": n})
        await ctx.db.insert("right", {"n": n})

    @functions.query("n:all")
    async def everything(ctx: Any) -> Any:
        return [
            [document["n"] for document in await ctx.db.query(table).collect()]
            for table in ("left", "right")
        ]

    return functions


def storm(path: Path, first: int, seconds: float) -> set[int]:
    """The numbers that were acknowledged before a SIGKILL, so many seconds after the first."""
    process = subprocess.Popen(
        [sys.executable, "-c", STORM, str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    lines += process.communicate()[0].splitlines(keepends=True)
    return {int(line) for line in lines if line.endswith("\n")}


async def check(path: Path, acknowledged: set[int]) -> None:
    async with running(backend(), path) as engine:
        left, right = await read(engine, "n:all")
        assert sorted(left) == sorted(right)
        assert len(left) == len(set(left))
        assert acknowledged <= set(left)
        # A client that lost its answers sends them again.
        last = int(max(left))
        args = b'{"n":%d.0}' % last
        run = await engine.mutation("n:add", args, identity=ADMIN, session=(SESSION, last))
        value_of(run.result)
        assert await read(engine, "n:all") == [left, right]


def test_kill_9_in_a_storm_of_mutations(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    acknowledged: set[int] = set()
    rng = random.Random(20)
    for round_number in range(6):
        acknowledged |= storm(path, round_number * 10**7, rng.uniform(0, 0.1))
        asyncio.run(check(path, acknowledged))
