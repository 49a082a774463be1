"""The guide: "Quick reference", "Convex function types at a glance", "Type mapping"."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexClient, ConvexError, ConvexInt64
from convex_async.local import LocalDeployment


async def test_basic_operations(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url) as client:
        await client.mutation("tasks:create", {"text": "New task"})
        result = await client.query("tasks:list")
        assert [task["text"] for task in result] == ["New task"]
        answer = await client.action("ai:generateResponse", {"prompt": "Convex"})
        assert answer == "About Convex: it is complicated."
        async for tasks in client.subscribe("tasks:list"):
            assert len(tasks) == 1
            break
        client.set_auth(deployment.issue_token("user123"))
        assert await client.query("users:getCurrentUser") == {"subject": "user123"}
        with pytest.raises(ConvexError) as raised:
            await client.mutation("orders:create", {"productId": "nonexistent"})
        assert raised.value.data == {"code": "NOT_FOUND", "message": "no such product"}


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (None, None),
        (1.5, 1.5),
        (3, 3.0),
        (ConvexInt64(2**60), ConvexInt64(2**60)),
        (True, True),
        ("text", "text"),
        ([1.0, "a"], [1.0, "a"]),
        ((1.0, "a"), [1.0, "a"]),
        ({"a": {"b": None}}, {"a": {"b": None}}),
        (b"\x00\xff", b"\x00\xff"),
    ],
)
async def test_types_between_python_and_convex(
    client: ConvexClient, sent: Any, received: Any
) -> None:
    await client.mutation("values:keep", {"value": sent})
    value = await client.query("values:latest")
    assert value == received
    assert type(value) is type(received)
