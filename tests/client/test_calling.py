"""Calls that fail before they are sent, each alone."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexClient, InvalidValueError


@pytest.mark.trap(26)
@pytest.mark.parametrize("args", [{"s": "\ud800"}, {"s": ["ok", "a\udfffb"]}, {"\ud800": 1}])
async def test_a_lone_surrogate_fails_its_call_alone(
    client: ConvexClient, args: dict[str, Any]
) -> None:
    """It has no UTF-8: it is refused before anything is sent, and the socket stays."""
    await client.connect()
    with pytest.raises(InvalidValueError):
        await client.mutation("notes:touch", args)
    assert await client.query("notes:list") == []
    assert client.state.connection_count == 1


@pytest.mark.trap(27)
@pytest.mark.parametrize("path", ["my-notes:list", "notes.ts:list", "", ":list", "notes:li-st"])
async def test_a_bad_path_fails_its_call_alone(client: ConvexClient, path: str) -> None:
    """The deployment would end the whole session over it."""
    await client.connect()
    for call in (client.query, client.mutation, client.action, client.subscribe):
        with pytest.raises(ValueError, match="function path"):
            _ = call(path)
    assert await client.query("notes:list") == []
    assert client.state.connection_count == 1
