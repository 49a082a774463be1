"""The guide: "Calling Convex functions", and pitfall 3, unbounded queries."""

from __future__ import annotations

import asyncio

import pytest

from convex_async import ConvexClient, FunctionError, api


async def test_queries(client: ConvexClient) -> None:
    assert await client.query("messages:list") == []
    assert await client.query("users:getById", {"userId": "abc123"}) == {"userId": "abc123"}
    asked = {
        "filters": {"category": "books", "minPrice": 10},
        "pagination": {"limit": 20, "cursor": None},
    }
    assert await client.query("search:find", asked) == asked


async def test_mutations(client: ConvexClient) -> None:
    task_id = await client.mutation("tasks:create", {"text": "Learn Convex", "isCompleted": False})
    await client.mutation("tasks:update", {"id": task_id, "isCompleted": True})
    task = await client.query("tasks:get", {"id": task_id})
    assert task["isCompleted"] is True
    await client.mutation("tasks:delete", {"id": task_id})
    assert await client.query("tasks:get", {"id": task_id}) is None


async def test_actions(client: ConvexClient) -> None:
    response = await client.action("ai:generateResponse", {"prompt": "Explain quantum computing"})
    assert response.startswith("About Explain quantum computing")
    # An action writes by running mutations.
    assert len(await client.query("logs:getAll")) == 1
    result = await client.action("payments:processStripe", {"amount": 2999, "currency": "usd"})
    assert result == {"charged": 2999, "currency": "usd"}


async def test_names(client: ConvexClient) -> None:
    """`filename:functionName`, or the same by attributes."""
    await client.mutation(api.tasks.create, {"text": "a"})
    assert await client.query(api.tasks.list) == await client.query("tasks:list")
    with pytest.raises(FunctionError, match="Could not find"):
        await client.query("tasks:lst")


async def test_calls_run_side_by_side(client: ConvexClient) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(client.mutation("tasks:create", {"text": f"task {number}"}))
    assert len(await client.query("tasks:list")) == 20


async def test_a_limit_in_place_of_everything(client: ConvexClient) -> None:
    for number in range(5):
        await client.mutation("logs:write", {"text": str(number)})
    page = await client.query("logs:getRecent", {"limit": 2})
    assert [entry["text"] for entry in page] == ["4", "3"]
