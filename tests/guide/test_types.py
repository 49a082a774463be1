"""The guide: "Working with Convex types"."""

from __future__ import annotations

import pytest

from convex_async import ConvexClient, ConvexInt64, ConvexMap, ConvexSet, InvalidValueError


async def test_int64(client: ConvexClient) -> None:
    big_number = ConvexInt64(2**60)
    await client.mutation("analytics:recordCount", {"count": big_number})
    result = await client.query("analytics:getCount")
    assert isinstance(result["count"], ConvexInt64)
    assert result["count"] == 2**60
    assert result["count"] + 1 == 2**60 + 1  # it is an int
    with pytest.raises(InvalidValueError, match=r"ConvexInt64") as raised:
        await client.mutation("analytics:recordCount", {"count": 2**60})
    assert raised.value.path == "args.count"


async def test_document_ids(client: ConvexClient) -> None:
    await client.mutation("tasks:create", {"text": "a"})
    doc = await client.query("tasks:getFirst")
    task_id = doc["_id"]
    assert isinstance(task_id, str)
    await client.mutation("tasks:complete", {"id": task_id})
    assert (await client.query("tasks:get", {"id": task_id}))["isCompleted"] is True


async def test_sets_and_maps(client: ConvexClient) -> None:
    """Convex has retired them: they travel as arrays, and are made again from those."""
    tags = ConvexSet(["python", "convex", "backend"])
    await client.mutation("values:keep", {"value": tags})
    received = await client.query("values:latest")
    assert received == ["python", "convex", "backend"]
    assert ConvexSet(received) == tags
    mapping = ConvexMap([({"id": 1}, "value1"), ({"id": 2}, "value2")])
    await client.mutation("values:keep", {"value": mapping})
    pairs = await client.query("values:latest")
    assert pairs == [[{"id": 1.0}, "value1"], [{"id": 2.0}, "value2"]]
    assert ConvexMap(pairs)[{"id": 2}] == "value2"
