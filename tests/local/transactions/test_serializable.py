"""Mutations that read ranges and run at once have the effect of some serial order of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v
from tests.local.calls import mutate, read, running

Cells = dict[int, int]
Step = tuple[str, int, int]
"""What to do with the cells of which range: from, and before."""

schema = define_schema(
    {"cells": define_table({"at": v.number(), "n": v.number()}).index("by_at", ["at"])}
)


def make_functions() -> Functions:
    functions = Functions(schema)

    def within(ctx: Any, low: float, high: float) -> Any:
        return ctx.db.query("cells").with_index("by_at", lambda q: q.gte("at", low).lt("at", high))

    async def is_free(ctx: Any, at: float) -> bool:
        query = ctx.db.query("cells").with_index("by_at", lambda q: q.eq("at", at))
        return await query.unique() is None

    async def carry_out(ctx: Any, seen: list[Any], kind: str, low: float, high: float) -> None:
        cells = within(ctx, low, high)
        match kind:
            case "sum":
                seen.append(sum([cell["n"] for cell in await cells.collect()]))
            case "last":
                last = await cells.order("desc").first()
                seen.append(None if last is None else last["at"])
            case "take":
                seen.append([cell["at"] for cell in await cells.take(2)])
            case "odd":
                odd = await cells.filter(lambda cell: cell["n"] % 2).first()
                seen.append(None if odd is None else odd["at"])
            case "fill":
                if await cells.first() is None:
                    await ctx.db.insert("cells", {"at": low, "n": 1})
            case "grow":
                found = await cells.collect()
                if found:
                    total = sum(cell["n"] for cell in found) + 1
                    await ctx.db.patch(found[0]["_id"], {"n": total})
            case "move":
                first = await cells.first()
                if first is not None and await is_free(ctx, high):
                    await ctx.db.patch(first["_id"], {"at": high})
            case "clear":
                last = await cells.order("desc").first()
                if last is not None:
                    await ctx.db.delete(last["_id"])
            case "undo":
                with pytest.raises(ConvexError) as caught:
                    await ctx.run_mutation("cells:undone", {"low": low, "high": high})
                seen.append(caught.value.data)
            case _:
                raise AssertionError(kind)

    @functions.mutation("cells:run")
    async def run(ctx: Any, steps: list[Any]) -> list[Any]:
        """Waits before each step, so that others come between."""
        seen: list[Any] = []
        for kind, low, high in steps:
            await asyncio.sleep(0)
            await carry_out(ctx, seen, kind, low, high)
        return seen

    @functions.internal_mutation("cells:undone")
    async def undone(ctx: Any, low: float, high: float) -> None:
        """Tells what it read, and has changed nothing."""
        total: list[Any] = []
        for kind in ("sum", "fill", "grow", "clear"):
            await carry_out(ctx, total, kind, low, high)
        raise ConvexError(total)

    @functions.query("cells:all")
    async def everything(ctx: Any) -> Any:
        cells = await ctx.db.query("cells").with_index("by_at").collect()
        return [[cell["at"], cell["n"]] for cell in cells]

    return functions


def carry_out(cells: Cells, seen: list[Any], kind: str, low: int, high: int) -> None:
    """The same on a dict."""
    within = sorted(at for at in cells if low <= at < high)
    match kind:
        case "sum":
            seen.append(sum(cells[at] for at in within))
        case "undo":
            seen.append([sum(cells[at] for at in within)])
        case "last":
            seen.append(within[-1] if within else None)
        case "take":
            seen.append(within[:2])
        case "odd":
            seen.append(next((at for at in within if cells[at] % 2), None))
        case "fill" if not within:
            cells[low] = 1
        case "grow" if within:
            cells[within[0]] = sum(cells[at] for at in within) + 1
        case "move" if within and high not in cells:
            cells[high] = cells.pop(within[0])
        case "clear" if within:
            del cells[within[-1]]
        case _:
            pass


def serially(transactions: list[list[Step]], order: tuple[int, ...]) -> tuple[Any, Any]:
    """The cells that are left, and what each transaction saw."""
    cells: Cells = {0: 1, 2: 2}
    answers: dict[int, list[Any]] = {}
    for number in order:
        seen = answers[number] = []
        for step in transactions[number]:
            carry_out(cells, seen, *step)
    return [[at, cells[at]] for at in sorted(cells)], [answers[n] for n in sorted(answers)]


async def concurrently(transactions: list[list[Step]], path: Path | None) -> tuple[Any, Any]:
    async with running(make_functions(), path) as engine:
        await mutate(engine, "cells:run", steps=[["fill", 0, 1], ["fill", 2, 3], ["grow", 2, 3]])
        answers = await asyncio.gather(
            *(mutate(engine, "cells:run", steps=[list(s) for s in t]) for t in transactions)
        )
        return await read(engine, "cells:all"), answers


def in_memory(transactions: list[list[Step]]) -> tuple[Any, Any]:
    return asyncio.run(concurrently(transactions, None))


def in_a_file(transactions: list[list[Step]]) -> tuple[Any, Any]:
    """Where mutations that end at the same time are committed in groups."""
    with TemporaryDirectory() as folder:
        return asyncio.run(concurrently(transactions, Path(folder, "data.sqlite3")))


KINDS = ["sum", "last", "take", "odd", "fill", "grow", "move", "clear", "undo"]
steps = st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(1, 3)).map(
    lambda step: (step[0], step[1], step[1] + step[2])
)
transactions = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=2, max_size=4)


@pytest.mark.parametrize(("run", "examples"), [(in_memory, 80), (in_a_file, 25)])
def test_mutations_that_read_ranges_equal_some_serial_order(
    run: Callable[[list[list[Step]]], tuple[Any, Any]], examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(transactions)
    def check(transactions: list[list[Step]]) -> None:
        got = run(transactions)
        orders = itertools.permutations(range(len(transactions)))
        assert any(serially(transactions, order) == got for order in orders)

    check()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        # Each finds a range empty that the other fills.
        ([("sum", 3, 5), ("fill", 1, 2)], [("sum", 1, 2), ("fill", 3, 5)]),
        # Each finds the last of a range, after which the other puts one.
        ([("last", 0, 2), ("fill", 4, 5)], [("last", 3, 6), ("fill", 1, 2)]),
        # What an inner mutation read counts, also when its writes are undone.
        ([("undo", 3, 5), ("fill", 1, 2)], [("undo", 1, 2), ("fill", 3, 5)]),
        # A filter reads what it passes over.
        ([("odd", 2, 5), ("grow", 0, 1)], [("odd", 0, 1), ("grow", 2, 5)]),
    ],
)
@pytest.mark.parametrize("run", [in_memory, in_a_file])
def test_write_skew_is_not_possible(
    run: Callable[[list[list[Step]]], tuple[Any, Any]], one: list[Step], two: list[Step]
) -> None:
    transactions = [one, two]
    assert run(transactions) in [serially(transactions, order) for order in ((0, 1), (1, 0))]
