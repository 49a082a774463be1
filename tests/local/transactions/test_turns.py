"""Mutations that want the same documents queue up: none is lost, and none waits for ever."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.retries import retried
from convex_async.local.problems import DeploymentProblem
from convex_async.local.transactions.readset import KeyRange
from convex_async.local.transactions.transaction import Conflict
from convex_async.local.transactions.turns import Turn, Turns
from tests.local.calls import mutate, read, running

A = (("t", "i"), KeyRange(b"a", b"b"))
B = (("t", "i"), KeyRange(b"b", None))


def named(name: str, q: Any) -> Any:
    return q.eq("name", name)


def backend(waits: int) -> Functions:
    counters = define_table({"name": v.string(), "n": v.number()}).index("by_name", ["name"])
    functions = Functions(define_schema({"counters": counters}))

    @functions.mutation("counters:add")
    async def add(ctx: Any, names: list[str]) -> None:
        for name in names:
            found = ctx.db.query("counters").with_index("by_name", partial(named, name))
            counter = await found.first()
            for _ in range(waits):
                await asyncio.sleep(0)
            if counter is None:
                await ctx.db.insert("counters", {"name": name, "n": 1})
            else:
                await ctx.db.patch(counter["_id"], {"n": counter["n"] + 1})

    @functions.query("counters:all")
    async def everything(ctx: Any) -> dict[str, float]:
        return {counter["name"]: counter["n"] async for counter in ctx.db.query("counters")}

    return functions


@pytest.mark.parametrize("has_file", [False, True], ids=["memory", "file"])
async def test_a_hundred_increments_at_once_lose_none(tmp_path: Path, has_file: bool) -> None:
    path = tmp_path / "data.sqlite3" if has_file else None
    async with running(backend(3), path) as engine:
        await asyncio.gather(*(mutate(engine, "counters:add", names=["a"]) for _ in range(100)))
        assert await read(engine, "counters:all") == {"a": 100}
        assert len(engine._turns) == 0


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3), min_size=100, max_size=100),
    st.integers(0, 3),
)
def test_any_hundred_at_once_lose_none(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]], waits: int
) -> None:
    """Whatever they touch, in whatever order: no two wait for each other."""

    async def check() -> None:
        path = tmp_path_factory.mktemp("hot") / "data.sqlite3"
        async with running(backend(waits), path) as engine:
            async with asyncio.timeout(30):
                await asyncio.gather(
                    *(mutate(engine, "counters:add", names=names) for names in calls)
                )
            wanted = {name: sum(names.count(name) for names in calls) for name in "abc"}
            assert await read(engine, "counters:all") == {n: c for n, c in wanted.items() if c}

    asyncio.run(check())


async def test_the_turns_of_a_range_are_in_the_order_of_coming() -> None:
    turns = Turns()
    first, second, third = (Turn(turns) for _ in range(3))
    await first.wait(A)
    waiting = [asyncio.create_task(turn.wait(A)) for turn in (second, third)]
    await asyncio.sleep(0)
    await third_free(turns)
    first.end()
    await waiting[0]
    assert not waiting[1].done()
    second.end()
    await waiting[1]
    third.end()
    third.end()
    assert len(turns) == 0


async def third_free(turns: Turns) -> None:
    """Another range has a queue of its own."""
    other = Turn(turns)
    await other.wait(B)
    assert other.held == {B}
    other.end()


async def test_two_that_want_two_ranges_in_another_order_both_get_them() -> None:
    turns = Turns()
    first, second = Turn(turns), Turn(turns)
    await first.wait(A)
    await second.wait(B)
    both = [asyncio.create_task(first.wait(B)), asyncio.create_task(second.wait(A))]
    done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    (winner,) = (turn for turn in (first, second) if turn.held == {A, B})
    winner.end()
    await asyncio.gather(*both)
    first.end()
    second.end()
    assert len(turns) == 0


async def test_who_gives_up_waiting_leaves_no_place() -> None:
    turns = Turns()
    first, second = Turn(turns), Turn(turns)
    await first.wait(A)
    waiting = asyncio.create_task(second.wait(A))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    second.end()
    first.end()
    assert len(turns) == 0


async def test_who_conflicts_in_its_turn_waits_longer_each_time_and_then_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    attempts: list[set[Any]] = []

    async def attempt(turn: Turn) -> None:
        attempts.append(set(turn.held))
        raise Conflict(A)

    with pytest.raises(DeploymentProblem, match="m:path changed documents") as caught:
        await retried("m:path", Turns(), attempt)
    assert caught.value.code == "OptimisticConcurrencyControlFailure"
    assert attempts == [set(), {A}, {A}, {A}, {A}]
    assert slept == [0.2, 0.4, 0.8]


async def test_giving_way_is_no_failed_attempt() -> None:
    ranges = [(("t", "i"), KeyRange(bytes([n]), None)) for n in range(10)]

    async def attempt(turn: Turn) -> int:
        if len(turn.held) < 10:
            raise Conflict(ranges[len(turn.held)], is_real=False)
        return len(turn.held)

    assert await retried("m:path", Turns(), attempt) == 10


async def test_what_is_in_its_turn_is_not_overtaken(tmp_path: Path) -> None:
    functions = backend(0)
    begun, may_go_on = asyncio.Event(), asyncio.Event()
    runs: list[int] = []

    @functions.mutation("counters:slow")
    async def slow(ctx: Any) -> None:
        counter = await ctx.db.query("counters").first()
        runs.append(counter["n"])
        begun.set()
        await may_go_on.wait()
        await ctx.db.patch(counter["_id"], {"n": counter["n"] * 10})

    async def overtake(engine: Engine) -> asyncio.Task[Any]:
        await begun.wait()
        begun.clear()
        task = asyncio.create_task(mutate(engine, "counters:add", names=["a"]))
        await asyncio.wait([task], timeout=0.2)
        may_go_on.set()
        return task

    async with running(functions, tmp_path / "data.sqlite3") as engine:
        await mutate(engine, "counters:add", names=["a"])
        slowly = asyncio.create_task(mutate(engine, "counters:slow"))
        assert (await overtake(engine)).done()  # it came first: the slow one begins anew
        may_go_on.clear()
        second = await overtake(engine)  # but waits for it this time
        await asyncio.gather(slowly, second)
        assert runs == [1, 2]
        assert await read(engine, "counters:all") == {"a": 21}
