"""The local deployment: mutations and their pushes over a socket, and reads of large tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.codec import encode_arguments
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v
from convex_async.local.engine.engine import Engine
from convex_async.local.transactions.outcome import Failure

# How many documents a mutation writes at most.
BATCH = 10_000


class Backend:
    """Counters by number, and how often a query of them ran."""

    def __init__(self) -> None:
        schema = define_schema({"counters": define_table({"at": v.number(), "n": v.number()})})
        schema.tables["counters"].index("by_at", ["at"])
        self.functions = functions = Functions(schema)
        self.runs = 0

        @functions.mutation("counters:fill")
        async def fill(ctx: Any, first: float, count: float) -> None:
            for at in range(int(first), int(first + count)):
                await ctx.db.insert("counters", {"at": at, "n": 0})

        @functions.mutation("counters:add")
        async def add(ctx: Any, at: float) -> None:
            query = ctx.db.query("counters").with_index("by_at", lambda q: q.eq("at", at))
            counter = await query.unique()
            await ctx.db.patch(counter["_id"], {"n": counter["n"] + 1})

        @functions.query("counters:between")
        async def between(ctx: Any, low: float, high: float) -> Any:
            self.runs += 1
            return await (
                ctx.db.query("counters")
                .with_index("by_at", lambda q: q.gte("at", low).lt("at", high))
                .collect()
            )


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize(
    ("queries", "subscribers"), [(1, 1), (1, 1000), (1000, 1)], ids=lambda count: str(count)
)
def test_a_mutation_and_its_push(
    benchmark: Any, runner: asyncio.Runner, queries: int, subscribers: int
) -> None:
    """A commit touches one of so many queries, whose subscribers all have it at the end."""
    backend = Backend()
    deployment = LocalDeployment(backend.functions)
    touched: list[Any] = []
    untouched: list[Any] = []  # kept, for a subscription that nobody has ends

    async def start() -> ConvexClient:
        await deployment.__aenter__()
        await deployment.run("counters:fill", {"first": 0.0, "count": float(queries)})
        client = ConvexClient(deployment.url)
        for at in range(queries):
            args = {"low": float(at), "high": at + 1.0}
            subscriptions = [client.subscribe("counters:between", args) for _ in range(subscribers)]
            (untouched if at else touched).extend(subscriptions)
            for subscription in subscriptions:
                await anext(subscription)
        return client

    async def change() -> None:
        await client.mutation("counters:add", {"at": 0.0})
        for subscription in touched:
            await anext(subscription)

    client = runner.run(start())
    before = backend.runs
    rounds = 0

    def one_round() -> None:
        nonlocal rounds
        rounds += 1
        runner.run(change())

    benchmark(one_round)
    assert backend.runs - before == rounds  # one query ran again, whatever the others are

    async def stop() -> None:
        await client.close()
        await deployment.__aexit__(None, None, None)

    runner.run(stop())


def test_a_range_of_100_documents_of_100_000(benchmark: Any, runner: asyncio.Runner) -> None:
    engine = Engine(Backend().functions, path=None)

    async def fill() -> None:
        for first in range(0, 100_000, BATCH):
            args = encode_arguments({"first": float(first), "count": float(BATCH)})
            run = await engine.mutation("counters:fill", args, identity=None)
            assert not isinstance(run.result, Failure), run.result.message

    runner.run(fill())
    args = encode_arguments({"low": 50_000.0, "high": 50_100.0})

    def read() -> None:
        run = runner.run(engine.query("counters:between", args, identity=None))
        assert not isinstance(run.result, Failure)

    benchmark(read)
    runner.run(engine.close())


@pytest.mark.parametrize("in_flight", [1, 100])
@pytest.mark.parametrize("place", ["file", "memory"])
def test_100_mutations(
    benchmark: Any, runner: asyncio.Runner, tmp_path: Path, place: str, in_flight: int
) -> None:
    """Each writes a document, and is answered once that is in the file."""
    path = tmp_path / "data.sqlite3" if place == "file" else None
    engine = Engine(Backend().functions, path=path)
    args = encode_arguments({"first": 0.0, "count": 1.0})

    async def commit() -> None:
        for _ in range(100 // in_flight):
            calls = (
                engine.mutation("counters:fill", args, identity=None) for _ in range(in_flight)
            )
            for run in await asyncio.gather(*calls):
                assert run.ts is not None

    benchmark(lambda: runner.run(commit()))
    runner.run(engine.close())
