"""A process that forks others, each of which calls a mutation again and again until it is killed.

Each line of its stdin asks for one: the mutation, the database, the first number, how many are in
flight at a time, and when to kill: `statement N`, as it begins its Nth SQL statement, `write N`,
after its Nth transaction and before any answer, or `seconds S`. It prints each number that was
acknowledged, and at last an empty line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from convex_async.codec import encode_arguments
from convex_async.function_path import canonical_path
from convex_async.local import Functions
from convex_async.local.context.query import Query
from convex_async.local.definitions.crons import Cron, Interval
from convex_async.local.jobs.crons import CRONS
from convex_async.local.store.durable import Durable
from tests.local.calls import running

SESSION = "00000000-0000-4000-8000-000000000000"


def backend(path: Path) -> Functions:
    """Functions whose effects carry the numbers that they were called with.

    Args:
        path: of the database; an action leaves its number in a file beside it.
    """
    functions = Functions()

    @functions.mutation("n:add")
    async def add(ctx: Any, n: float) -> None:
        await ctx.db.insert("left", {"n": n})
        await ctx.db.insert("right", {"n": n})

    @functions.mutation("n:schedule")
    async def schedule(ctx: Any, n: float) -> None:
        await ctx.scheduler.run_after(0, "n:add", {"n": n})
        await ctx.scheduler.run_after(0, "n:act", {"n": n})

    @functions.internal_action("n:act")
    async def act(ctx: Any, n: float) -> None:
        with path.with_name("acted").open("a") as file:
            file.write(f"{int(n)}\n")

    @functions.internal_mutation("n:tick")
    async def tick(ctx: Any) -> None:
        # When the run was due tells one run from another.
        (job,) = await Query(ctx.db._transaction, ctx.db._pages, CRONS).collect()
        await ctx.db.insert("ticks", {"due": job["scheduledTime"]})

    @functions.query("n:all")
    async def everything(ctx: Any) -> Any:
        return [
            [document["n"] for document in await ctx.db.query(table).collect()]
            for table in ("left", "right")
        ]

    @functions.query("n:ticks")
    async def ticks(ctx: Any) -> Any:
        return [tick["due"] for tick in await ctx.db.query("ticks").collect()]

    # Shorter than the whole seconds that users can give.
    often = Interval(0.002)
    functions.crons.all["tick"] = Cron("tick", canonical_path("n:tick"), b"{}", often)
    return functions


async def storm(mutation: str, path: Path, first: int, in_flight: int) -> None:
    """Call with the numbers from `first` on, and print each once it was acknowledged."""
    async with running(backend(path), path) as engine:

        async def send(n: int) -> None:
            args = encode_arguments({"n": n})
            run = await engine.mutation(mutation, args, identity=None, session=(SESSION, n))
            assert run.ts is not None
            os.write(1, b"%d\n" % n)

        while True:
            await asyncio.gather(*map(send, range(first, first + in_flight)))
            first += in_flight


def kill_inside(what: str, number: int) -> None:
    """Let this process die as its so manyth `statement` begins, or `write` ends."""
    write = Durable._write
    left = number

    def count(_: object = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self: Durable, *args: Any) -> None:
        if what == "statement":
            self._connection.set_trace_callback(count)
        write(self, *args)
        if what == "write":
            count()

    Durable._write = counted  # type: ignore[assignment, method-assign]


def main() -> None:
    for line in sys.stdin:
        mutation, path, first, in_flight, what, when = line.split()
        child = os.fork()
        if child == 0:
            if what != "seconds":
                kill_inside(what, int(when))
            asyncio.run(storm(mutation, Path(path), int(first), int(in_flight)))
        if what == "seconds":
            time.sleep(float(when))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), status
        os.write(1, b"\n")


if __name__ == "__main__":
    main()
