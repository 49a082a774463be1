"""Queries and mutations of a folder in TypeScript, as clients see them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient, ConvexError, ConvexInt64, FunctionError
from convex_async.local import Functions, LocalDeployment, v


async def texts(client: ConvexClient) -> list[str]:
    return [task["text"] for task in await client.query("tasks:list")]


async def test_a_document_is_written_and_read(client: ConvexClient) -> None:
    task_id = await client.mutation("tasks:create", {"text": "Milk", "owner": "ada"})
    task = await client.query("tasks:get", {"id": task_id})
    assert task["text"] == "Milk"
    assert task["owner"] == "ada"
    await client.mutation("tasks:finish", {"id": task_id})
    task = await client.query("tasks:get", {"id": task_id})
    assert task["done"] is True
    assert "owner" not in task
    await client.mutation("tasks:rename", {"id": task_id, "text": "Oat milk"})
    assert await texts(client) == ["Oat milk"]
    await client.mutation("tasks:remove", {"id": task_id})
    assert await client.query("tasks:get", {"id": task_id}) is None


async def test_long_results_come_whole_and_in_order(client: ConvexClient) -> None:
    wanted = [f"task {n:04}" for n in range(1500)]
    await client.mutation("tasks:createAll", {"texts": wanted})
    assert await texts(client) == wanted[::-1]


async def test_an_index_range_and_a_filter(client: ConvexClient) -> None:
    await client.mutation("tasks:createAll", {"texts": ["c", "a", "hidden", "b"]})
    found = await client.query("tasks:open", {"least": "b"})
    assert [task["text"] for task in found] == ["b", "c"]


async def test_pages(client: ConvexClient) -> None:
    await client.mutation("tasks:createAll", {"texts": [str(n) for n in range(5)]})
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        opts = {"numItems": 2, "cursor": cursor}
        page = await client.query("tasks:page", {"paginationOpts": opts})
        seen += [task["text"] for task in page["page"]]
        cursor = page["continueCursor"]
    assert seen == ["0", "1", "2", "3", "4"]
    assert page["isDone"]


async def test_a_failed_inner_mutation_is_undone_and_its_error_caught(client: ConvexClient) -> None:
    tried = await client.mutation("tasks:tryTwice")
    assert tried["count"] == 0
    assert tried["message"].startswith(
        "Uncaught Error: changed my mind\n    at handler (../convex/"
    )


async def test_what_an_iteration_deletes_does_not_come_again(client: ConvexClient) -> None:
    await client.mutation("tasks:createAll", {"texts": [str(n) for n in range(100)]})
    seen = await client.mutation("tasks:removeFollowing")
    assert seen == [str(n) for n in range(0, 100, 2)]


async def test_a_convex_error_has_its_data_and_its_frames(client: ConvexClient) -> None:
    with pytest.raises(ConvexError) as caught:
        await client.mutation("tasks:create", {"text": ""})
    assert caught.value.data == {"code": "EMPTY", "limit": ConvexInt64(1)}
    assert 'Uncaught ConvexError: {"code":"EMPTY","limit":"1n"}' in str(caught.value)
    line = next(
        number
        for number, text in enumerate((Path(__file__).parent / TASKS).read_text().splitlines(), 1)
        if 'code: "EMPTY"' in text
    )
    assert f"    at handler (../convex/tasks.ts:{line}:" in str(caught.value)


TASKS = "app/convex/tasks.ts"


async def test_arguments_are_checked(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="ArgumentValidationError"):
        await client.mutation("tasks:create", {"text": 5})


async def test_a_schema_is_kept(client: ConvexClient) -> None:
    task_id = await client.mutation("tasks:create", {"text": "x"})
    with pytest.raises(FunctionError, match="ArgumentValidationError"):
        await client.query("tasks:get", {"id": task_id[:-1] + "0"})


async def test_internal_functions_are_hidden_from_clients(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    with pytest.raises(FunctionError, match="Could not find public function"):
        await client.query("tasks:count")
    assert await deployment.run("tasks:count") == 0


async def test_a_live_query_follows_writes_that_touch_it(client: ConvexClient) -> None:
    await client.mutation("tasks:create", {"text": "first"})
    async with (
        client.subscribe("tasks:firstMatching", {"text": "first"}) as live,
        aclosing(aiter(live)) as updates,
    ):
        first = await anext(updates)
        # The iteration stopped at the first document: what comes after it was not read.
        for n in range(5):
            await client.mutation("tasks:create", {"text": f"later {n}"})
        await client.mutation("tasks:remove", {"id": first})
        assert await anext(updates) is None


async def test_a_live_query_runs_only_for_what_it_read(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    """Read ahead, yet not consumed: that is not in the read set."""
    engine = deployment._running()
    await client.mutation("tasks:createAll", {"texts": [str(n) for n in range(20)]})
    run = await engine.query("tasks:firstMatching", b'{"text":"3"}', identity=None)
    invalidated = asyncio.Event()
    engine.watch(run.read_set, run.ts, lambda _: invalidated.set())
    tasks = await client.query("tasks:list")
    await client.mutation("tasks:remove", {"id": tasks[0]["_id"]})
    assert not invalidated.is_set()
    await client.mutation("tasks:remove", {"id": tasks[-1]["_id"]})
    async with asyncio.timeout(5):
        await invalidated.wait()


async def test_concurrent_increments_are_all_counted(client: ConvexClient) -> None:
    await asyncio.gather(
        *(client.mutation("counters:increment", {"name": "hits"}) for _ in range(20))
    )
    assert await client.query("counters:get", {"name": "hits"}) == 20


async def test_the_identity_is_the_tokens(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    with pytest.raises(ConvexError):
        await client.query("tasks:mine")
    await client.mutation("tasks:create", {"text": "hers", "owner": "ada"})
    await client.mutation("tasks:create", {"text": "his", "owner": "bob"})
    token = deployment.issue_token("ada")
    async with ConvexClient(deployment.url, auth=token) as ada:
        assert [task["text"] for task in await ada.query("tasks:mine")] == ["hers"]


async def test_a_schedule_that_nobody_awaited_still_happens(client: ConvexClient) -> None:
    async with (
        client.subscribe("tasks:list") as live,
        aclosing(aiter(live)) as updates,
    ):
        assert await anext(updates) == []
        await client.mutation("tasks:remindForgotten", {"text": "tea"})
        assert [task["text"] for task in await anext(updates)] == ["reminder: tea"]


async def test_python_and_typescript_call_each_other(app: Path) -> None:
    functions = Functions()

    @functions.mutation("mixed:createTwo", args={"text": v.string()})
    async def create_two(ctx: Any, text: str) -> Any:
        """A Python mutation, whose calls share its transaction."""
        first = await ctx.run_mutation("tasks:create", {"text": text})
        with pytest.raises(ConvexError):
            await ctx.run_mutation("tasks:create", {"text": ""})
        return [first, await ctx.run_mutation("tasks:create", {"text": text + "!"})]

    @functions.internal_query("python:double", args={"number": v.number()})
    async def double(ctx: Any, number: float) -> Any:
        return number * 2

    async with (
        LocalDeployment.from_folder(app, functions=functions) as deployment,
        ConvexClient(deployment.url) as client,
    ):
        ids = await client.mutation("mixed:createTwo", {"text": "Milk"})
        assert await texts(client) == ["Milk!", "Milk"]
        assert len(set(ids)) == 2
        assert await client.query("mixed:doubleInPython", {"number": 4}) == 8
        assert await client.action("mixed:doubleInAction", {"number": 5}) == 10


async def test_a_path_of_both_is_refused(app: Path) -> None:
    functions = Functions()

    @functions.query("tasks:list")
    async def listing(ctx: Any) -> Any:
        return []

    with pytest.raises(ValueError, match="tasks:list"):
        async with LocalDeployment.from_folder(app, functions=functions):
            pass
