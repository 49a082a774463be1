"""Many rows by few mutations: in order, within limits, and honest about what was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from convex_async import BatchError, ConvexClient, ConvexError, InvalidValueError
from convex_async.local import Functions, LocalDeployment, v


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    functions = Functions()

    @functions.mutation("rows:put", args={"rows": v.array(v.any()), "a": v.any(), "z": v.any()})
    async def put(ctx: Any, rows: list[Any], a: Any, z: Any) -> Any:
        if "bad" in rows:
            raise ConvexError({"code": "BAD"})
        for row in rows:
            await ctx.db.insert("rows", {"row": row, "a": a, "z": z})
        return [len(rows), rows[0]]

    @functions.query("rows:all")
    async def all_rows(ctx: Any) -> Any:
        return [document["row"] for document in await ctx.db.query("rows").collect()]

    async with LocalDeployment(functions) as deployment:
        yield deployment


OTHERS: dict[str, Any] = {"z": {"n": 1}, "a": b"bytes"}


def put(client: ConvexClient, rows: Any, **options: Any) -> Any:
    return client.mutation_batches("rows:put", rows, key="rows", args=OTHERS, **options)


async def test_all_rows_are_written_once_in_order_over_drops(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    async def rows() -> AsyncIterator[float]:
        for number in range(95):
            if number % 30 == 29:
                deployment.faults.drop_after_commit = 1
            yield float(number)

    results = [result async for result in put(client, rows(), max_items=10)]
    assert results == [[10, start] for start in range(0, 90, 10)] + [[5, 90]]
    assert await client.query("rows:all") == list(range(95))
    assert client.state.connection_count > 1
    assert [result async for result in put(client, [])] == []


async def test_batches_hold_no_more_bytes_than_asked_for(client: ConvexClient) -> None:
    rows = ["x" * 40] * 7 + ["y" * 500, "z"]
    results = [result async for result in put(client, rows, max_bytes=130)]
    assert [count for count, _ in results] == [3, 3, 1, 1, 1]


async def test_rows_are_pulled_as_they_are_sent(client: ConvexClient) -> None:
    pulled = 0

    def rows() -> Any:
        nonlocal pulled
        for number in range(10_000):
            pulled = number
            yield number

    async with aclosing(put(client, rows(), max_items=10, in_flight=2)) as results:
        assert await anext(results) == [10, 0]
        assert pulled <= 20  # two batches, and the row that did not go into them
        await anext(results)
        assert pulled <= 30


async def test_a_failed_batch_tells_which_rows_and_what_was_written(client: ConvexClient) -> None:
    rows = ["a", "b", "c", "bad", "d", "e", "f", "g", *["never"] * 90]
    with pytest.raises(BatchError, match="rows 2 to 3") as caught:
        [result async for result in put(client, rows, max_items=2, in_flight=3)]
    error = caught.value
    assert (error.index, error.rows, error.results) == (2, ["c", "bad"], [[2, "a"]])
    assert isinstance(error.__cause__, ConvexError)
    written = await client.query("rows:all")
    sent = [index for index, _, _ in error.later]
    assert sent == [4, 6][: len(sent)]
    assert len(written) == 2 + sum(count for _, count, _ in error.later)
    assert "never" not in written


async def test_one_at_a_time_sends_nothing_after_a_failure(client: ConvexClient) -> None:
    with pytest.raises(BatchError) as caught:
        [r async for r in put(client, ["bad", "b"], max_items=1, in_flight=1)]
    assert (caught.value.later, await client.query("rows:all")) == ([], [])


async def test_a_row_that_is_no_value_is_named(client: ConvexClient) -> None:
    with pytest.raises(InvalidValueError, match=r"rows\[0\]\.n") as caught:
        [r async for r in put(client, [{"n": 1}, {"n": 2**60}])]
    assert "in row 1" in caught.value.__notes__
    with pytest.raises(ValueError, match="for the rows"):
        client.mutation_batches("rows:put", [], key="a", args=OTHERS)
    for options in ({"in_flight": 0}, {"max_items": 0}, {"max_bytes": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            put(client, [], **options)


async def test_leaving_early_leaves_no_task(client: ConvexClient) -> None:
    async with aclosing(put(client, range(1000), max_items=1)) as results:
        await anext(results)
    calls = [task for task in asyncio.all_tasks() if "_noted" in repr(task.get_coro())]
    assert calls == []


async def test_nothing_is_sent_once_a_failure_is_known(client: ConvexClient) -> None:
    async with aclosing(put(client, ["a", "bad", "c", "never"], max_items=1, in_flight=3)) as all:
        assert await anext(all) == [1, "a"]
        await client.subscribe("rows:all").until(lambda rows: "c" in rows, timeout=10)
        with pytest.raises(BatchError) as caught:
            await anext(all)
    assert [index for index, _, _ in caught.value.later] == [2]
    assert await client.query("rows:all") == ["a", "c"]
