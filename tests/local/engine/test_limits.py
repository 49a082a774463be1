"""What a function may do, and what it is told when it comes near or goes over."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from convex_async.codec import encode_arguments
from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine import python_functions
from convex_async.local.store import limits
from convex_async.local.transactions.outcome import Failure, MutationRun, QueryRun
from tests.local.calls import mutate, read, running


def backend() -> Functions:
    things = define_table({"n": v.number()}).index("by_n", ["n"])
    functions = Functions(define_schema({"things": things}))

    @functions.query("limits:deep")
    async def deep(ctx: Any, depth: float) -> float:
        if depth == 0:
            return 0.0
        inner: float = await ctx.run_query("limits:deep", {"depth": depth - 1})
        return 1.0 + inner

    @functions.query("limits:ranges")
    async def ranges(ctx: Any, count: float) -> None:
        for n in range(int(count)):
            await ctx.db.query("things").with_index("by_n", lambda q, n=n: q.eq("n", n)).first()

    @functions.query("limits:log")
    async def log(ctx: Any, count: float, size: float) -> None:
        for _ in range(int(count)):
            ctx.log("é" * int(size))

    @functions.mutation("limits:write")
    async def write(ctx: Any, count: float) -> None:
        for n in range(int(count)):
            await ctx.db.insert("things", {"n": n})

    @functions.mutation("limits:compute")
    async def compute(ctx: Any, seconds: float, waits: bool) -> str:
        await ctx.db.insert("things", {"n": 1})
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            if waits:
                await asyncio.sleep(0)
        return "done"

    @functions.mutation("limits:raise")
    async def raises(ctx: Any) -> None:
        try:
            await asyncio.sleep(0)
            raise ValueError("mine")
        finally:
            await asyncio.sleep(0)

    return functions


async def test_functions_call_one_another_eight_deep() -> None:
    async with running(backend()) as engine:
        assert await read(engine, "limits:deep", depth=8) == 8
        with pytest.raises(AssertionError, match="Cross component call depth limit exceeded"):
            await read(engine, "limits:deep", depth=9)


async def test_empty_ranges_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RANGES_READ", 20)
    async with running(backend()) as engine:
        await read(engine, "limits:ranges", count=20)
        with pytest.raises(AssertionError, match=r"Too many reads .* \(limit: 20\)"):
            await read(engine, "limits:ranges", count=21)


async def logged(path: str, **args: Any) -> list[str]:
    async with running(backend()) as engine:
        run: QueryRun | MutationRun
        if path == "limits:write":
            run = await engine.mutation(path, encode_arguments(args), identity=None)
        else:
            run = await engine.query(path, encode_arguments(args), identity=None)
        assert not isinstance(run.result, Failure)
        return run.log_lines


async def test_the_last_log_line_tells_of_an_overflow() -> None:
    assert len(await logged("limits:log", count=255, size=1)) == 255
    lines = await logged("limits:log", count=300, size=1)
    assert len(lines) == 256
    assert lines[-1] == "[ERROR] Log overflow (maximum 256). Remaining log lines omitted."
    assert lines[-2] == "[LOG] 'é'"


async def test_a_long_log_line_is_cut_between_characters() -> None:
    (whole,) = await logged("limits:log", count=1, size=16383)
    assert len(whole.removeprefix("[LOG] ").encode()) == 32768
    (cut,) = await logged("limits:log", count=1, size=16384)
    assert cut == "[LOG] '" + "é" * 16383 + " (truncated due to length)"


@pytest.mark.parametrize(
    ("name", "path", "count", "told"),
    [
        ("MAX_RANGES_READ", "limits:ranges", 9, "Many reads in a single function execution"),
        ("MAX_DOCUMENTS_WRITTEN", "limits:write", 9, "Many writes in a single function execution"),
    ],
)
async def test_who_comes_near_a_limit_is_warned(
    name: str, path: str, count: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, name, 10)
    assert await logged(path, count=8) == []
    (line,) = await logged(path, count=count)
    assert line.startswith(f"[WARN] {told} (actual: 9, limit: 10).")


@pytest.mark.parametrize("waits", [False, True])
async def test_a_mutation_that_computes_for_too_long_fails(
    waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(python_functions.TIME_LIMITS, "mutation", 0.05)
    # Only what it computes is counted here, however slow the machine is.
    monkeypatch.setattr(python_functions.PythonFunctions, "time_limit", lambda self, kind: 60.0)
    async with running(backend()) as engine:
        assert await mutate(engine, "limits:compute", seconds=0.001, waits=waits) == "done"
        with pytest.raises(AssertionError, match=r"timed out \(maximum duration: 0\.05s\)"):
            await mutate(engine, "limits:compute", seconds=0.5, waits=waits)
        assert sum(d.table == "things" for d in engine.store.documents()) == 1


async def test_errors_and_ends_pass_through_the_measuring() -> None:
    async with running(backend()) as engine:
        with pytest.raises(AssertionError, match="Uncaught ValueError: mine"):
            await mutate(engine, "limits:raise")
