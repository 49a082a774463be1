"""What is larger than Convex allows fails its function, in Convex's words; what fits passes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from convex_async import ConvexInt64
from convex_async.codec import encode, encode_arguments
from convex_async.local import Functions, define_table, v
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import FunctionProblem
from convex_async.local.store import limits
from convex_async.local.transactions.outcome import Failure
from tests.local.calls import mutate, read, running

MIB = 2**20


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("n:insert")
    async def insert(ctx: Any, value: Any, times: float = 1) -> None:
        for _ in range(int(times)):
            await ctx.db.insert("n", {"value": value})

    @functions.mutation("n:schedule")
    async def schedule(ctx: Any, times: float, value: Any = None) -> None:
        for _ in range(int(times)):
            await ctx.scheduler.run_after(60, "n:insert", {"value": value})

    @functions.query("n:collect")
    async def collect(ctx: Any) -> float:
        return len(await ctx.db.query("n").collect())

    @functions.query("n:make")
    async def make(ctx: Any, kind: str, size: float) -> Any:
        match kind:
            case "array":
                return [0.0] * int(size)
            case "object":
                return {f"f{number}": 0.0 for number in range(int(size))}
            case _:
                return "x" * int(size)

    @functions.query("n:get")
    async def get(ctx: Any, times: float) -> None:
        ids = [note["_id"] for note in await ctx.db.query("n").take(2)]
        for number in range(int(times)):
            await ctx.db.get(ids[number % 2])

    return functions


async def failure(engine: Engine, kind: str, path: str, /, **args: Any) -> str:
    call = engine.query if kind == "query" else engine.mutation
    run = await call(path, encode_arguments(args), identity=None)
    assert isinstance(run.result, Failure)
    return run.result.message


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        (1.0, 9),
        (ConvexInt64(1), 9),
        ("é", 4),
        (b"abc", 5),
        ([None, False], 4),
        ({"ab": None, "c": "x"}, 2 + 3 + 1 + 2 + 3),
    ],
)
def test_the_size_of_a_value(value: Any, size: int) -> None:
    assert limits.size_of(encode(value)) == size


def test_sizes_are_counted_without_holding_the_loop() -> None:
    """14 MB of small objects took 13 s where each was an object of Python's."""
    wire = encode([[{"a": 0.0, "b": "x"}] * 8192] * 80)
    size = 2 + 80 * (2 + 8192 * (2 + 11 + 5))
    began = time.process_time()
    assert limits.size_of(wire) == size
    assert time.process_time() - began < 1


async def test_arguments_and_their_parts() -> None:
    async with running(backend()) as engine:
        said = await failure(engine, "mutation", "n:insert", value=[0.0] * 8193)
        assert "Array length is too long (8193 > maximum length 8192)" in said
        wide = {f"f{number}": 0.0 for number in range(1025)}
        said = await failure(engine, "mutation", "n:insert", value=wide)
        assert "Object has too many fields (1025 > maximum number 1024)" in said
        said = await failure(engine, "mutation", "n:insert", value="x" * (17 * MIB))
        assert "Arguments for n:insert are too large (actual: 17 MiB, limit: 16 MiB)" in said
        await mutate(engine, "n:insert", value=[0.0] * 8192)


async def test_results() -> None:
    async with running(backend()) as engine:
        assert len(await read(engine, "n:make", kind="array", size=8192)) == 8192
        said = await failure(engine, "query", "n:make", kind="array", size=8193)
        assert "Function n:make return value invalid: Array length is too long (8193" in said
        assert len(await read(engine, "n:make", kind="object", size=1024)) == 1024
        said = await failure(engine, "query", "n:make", kind="object", size=1025)
        assert "Object has too many fields (1025 > maximum number 1024)" in said
        said = await failure(engine, "query", "n:make", kind="text", size=16 * MIB)
        assert "Function n:make return value is too large (actual: 16 MiB, limit: 16 MiB)" in said


async def test_documents() -> None:
    async with running(backend()) as engine:
        await mutate(engine, "n:insert", value="x" * (MIB - 200))
        said = await failure(engine, "mutation", "n:insert", value="x" * (MIB + MIB // 4))
        assert "Value is too large (1.25 MiB > maximum size 1 MiB)" in said


async def test_bytes_of_a_transaction() -> None:
    async with running(backend()) as engine:
        text = "x" * (MIB - 200)
        await mutate(engine, "n:insert", value=text, times=16)
        assert await read(engine, "n:collect") == 16
        said = await failure(engine, "mutation", "n:insert", value=text, times=17)
        assert "Too many bytes written in a single function execution (limit: 16 MiB)" in said
        await mutate(engine, "n:insert", value=text)
        said = await failure(engine, "query", "n:collect")
        assert "Too many bytes read in a single function execution (limit: 16777216 bytes)" in said


async def test_index_ranges_of_a_transaction() -> None:
    async with running(backend()) as engine:
        await mutate(engine, "n:insert", value=0.0, times=2)
        await read(engine, "n:get", times=4000)
        said = await failure(engine, "query", "n:get", times=4097)
        assert "Too many reads in a single function execution (limit: 4096)." in said


async def test_scheduled_functions_of_a_mutation() -> None:
    async with running(backend()) as engine:
        said = await failure(engine, "mutation", "n:schedule", times=1001)
        assert "Too many functions scheduled by this mutation (limit: 1000)" in said
        said = await failure(engine, "mutation", "n:schedule", times=20, value="x" * (MIB - 500))
        assert "Too large total size of the arguments of scheduled functions" in said


def test_documents_of_a_transaction() -> None:
    usage = limits.Usage()
    for _ in range(32_000):
        usage.read(1)
    with pytest.raises(FunctionProblem, match=r"Too many documents read .*limit: 32000"):
        usage.read(1)
    usage.written(16_000, 1)
    with pytest.raises(FunctionProblem, match=r"Too many documents written .*limit: 16000"):
        usage.written(16_001, 1)


def test_indexes() -> None:
    table = define_table({"a": v.any()})
    table.index("wide", [f"f{number}" for number in range(16)])
    with pytest.raises(ValueError, match="up to 16 fields"):
        table.index("wider", [f"f{number}" for number in range(17)])
    with pytest.raises(NotImplementedError, match="has no search indexes"):
        table.search_index("by_text", search_field="a")
    with pytest.raises(NotImplementedError, match="has no vector indexes"):
        table.vector_index("by_vector", vector_field="a", dimensions=3)
