"""Random concurrent mutations have the effect of some serial order, and conflicts are retried."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.codec import encode_arguments
from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine.engine import Engine
from tests.local.calls import act, mutate, read, running, value_of

Step = tuple[str, int]

schema = define_schema({"cells": define_table({"at": v.number(), "n": v.number()})})
schema.tables["cells"].index("by_at", ["at"])


def backend() -> Functions:
    functions = Functions(schema)

    async def cell(ctx: Any, at: float) -> Any:
        return await ctx.db.query("cells").with_index("by_at", lambda q: q.eq("at", at)).first()

    @functions.mutation("cells:run")
    async def run(ctx: Any, steps: list[Any]) -> list[Any]:
        """Steps whose effects depend on what others did; waits, so that others come between."""
        seen: list[Any] = []
        for kind, at in steps:
            await asyncio.sleep(0)
            found = await cell(ctx, at)
            match kind:
                case "read":
                    seen.append(None if found is None else found["n"])
                case "add" if found is None:
                    await ctx.db.insert("cells", {"at": at, "n": 1})
                case "add":
                    await ctx.db.patch(found["_id"], {"n": found["n"] * 2 + 1})
                case "delete" if found is not None:
                    await ctx.db.delete(found["_id"])
                case "count":
                    seen.append(len(await ctx.db.query("cells").collect()))
                case _:
                    pass
        return seen

    @functions.query("cells:all")
    async def everything(ctx: Any) -> Any:
        cells = await ctx.db.query("cells").with_index("by_at").collect()
        return [[cell["at"], cell["n"]] for cell in cells]

    return functions


def serially(transactions: list[list[Step]], order: tuple[int, ...]) -> tuple[Any, Any]:
    cells: dict[int, int] = {}
    answers: dict[int, list[Any]] = {}
    for number in order:
        seen = answers[number] = []
        for kind, at in transactions[number]:
            match kind:
                case "read":
                    seen.append(cells.get(at))
                case "add":
                    cells[at] = cells.get(at, 0) * 2 + 1
                case "delete":
                    cells.pop(at, None)
                case _:
                    seen.append(len(cells))
    return [[at, cells[at]] for at in sorted(cells)], [answers[n] for n in sorted(answers)]


steps = st.lists(
    st.tuples(st.sampled_from(["read", "add", "delete", "count"]), st.integers(0, 2)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=2, max_size=4))
def test_concurrent_mutations_equal_some_serial_order(transactions: list[list[Step]]) -> None:
    async def concurrently() -> tuple[Any, Any]:
        async with running(backend()) as engine:
            answers = await asyncio.gather(
                *(mutate(engine, "cells:run", steps=[list(s) for s in t]) for t in transactions)
            )
            return await read(engine, "cells:all"), answers

    got = asyncio.run(concurrently())
    orders = itertools.permutations(range(len(transactions)))
    assert any(serially(transactions, order) == got for order in orders)


async def test_a_request_that_is_sent_twice_is_applied_once() -> None:
    async with running(backend()) as engine:
        args = encode_arguments({"steps": [["add", 0]]})

        async def send() -> Any:
            return await engine.mutation("cells:run", args, identity=None, session=("s", 1))

        first, second = await asyncio.gather(send(), send())
        assert first.ts == second.ts
        assert await read(engine, "cells:all") == [[0, 1]]


async def test_a_cancelled_mutation_leaves_file_and_store_agreed(tmp_path: Any) -> None:
    path = tmp_path / "data.sqlite3"
    args = encode_arguments({"steps": [["add", 0]]})

    async def send(engine: Engine) -> Any:
        return await engine.mutation("cells:run", args, identity=None, session=("s", 1))

    async with running(backend(), path) as engine:
        for pauses in range(12):
            task = asyncio.create_task(send(engine))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        value_of((await send(engine)).result)
        before = await read(engine, "cells:all")
    async with running(backend(), path) as engine:
        assert await read(engine, "cells:all") == before == [[0, 1]]


async def test_a_query_draws_the_same_numbers_each_time_and_a_mutation_others() -> None:
    functions = Functions()

    @functions.query("dice:query")
    async def query(ctx: Any, faces: float) -> Any:
        return [ctx.random.randrange(10**9), await ctx.run_query("dice:inner"), faces]

    @functions.query("dice:inner")
    async def inner(ctx: Any) -> Any:
        return ctx.random.randrange(10**9)

    @functions.mutation("dice:mutation")
    async def mutation(ctx: Any) -> Any:
        return [ctx.random.randrange(10**9), ctx.random.randrange(10**9)]

    @functions.action("dice:action")
    async def action(ctx: Any) -> Any:
        return [ctx.random.randrange(10**9), ctx.random.randrange(10**9)]

    async with running(functions) as engine:
        first, inner_first, _ = await read(engine, "dice:query", faces=6.0)
        assert await read(engine, "dice:query", faces=6.0) == [first, inner_first, 6.0]
        assert first != inner_first
        assert (await read(engine, "dice:query", faces=20.0))[0] != first
        drawn = [
            number
            for call in (mutate, act)
            for path in ("dice:mutation" if call is mutate else "dice:action",) * 2
            for number in await call(engine, path)
        ]
        assert len(set(drawn)) == 8
