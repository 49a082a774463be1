"""The guide: "Pagination"."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexClient, ConvexHttpClient
from convex_async.local import LocalDeployment


@pytest.fixture(autouse=True)
async def _messages(deployment: LocalDeployment) -> None:
    for number in range(120):
        await deployment.run("messages:send", {"body": f"message {number}"})


async def fetch_all_messages(client: ConvexClient) -> list[Any]:
    """The guide's loop over cursors."""
    all_messages: list[Any] = []
    cursor = None
    while True:
        result = await client.query(
            "messages:list", {"paginationOpts": {"numItems": 50, "cursor": cursor}}
        )
        all_messages.extend(result["page"])
        cursor = result["continueCursor"]
        if result["isDone"]:
            return all_messages


async def test_by_hand_and_by_paginate(deployment: LocalDeployment, client: ConvexClient) -> None:
    expected = await fetch_all_messages(client)
    assert len(expected) == 120
    assert [m async for m in client.paginate("messages:list", page_size=50)] == expected
    async with ConvexHttpClient(deployment.url) as http:
        assert [m async for m in http.paginate("messages:list", page_size=50)] == expected


async def test_page_by_page(client: ConvexClient) -> None:
    pages = client.paginate("messages:list", page_size=50).pages()
    first = await anext(pages)
    assert (len(first), first.is_done) == (50, False)
    # Days later, elsewhere: the cursor is all it takes.
    rest = client.paginate("messages:list", page_size=50, cursor=first.continue_cursor)
    sizes = [len(page) async for page in rest.pages()]
    assert sum(sizes) == 70


async def test_one_moment_for_all_pages(deployment: LocalDeployment) -> None:
    async with ConvexHttpClient(deployment.url) as client, client.consistent() as snapshot:
        assert len([m async for m in snapshot.paginate("messages:list", page_size=50)]) == 120
        assert snapshot.ts is not None
