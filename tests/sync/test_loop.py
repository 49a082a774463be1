"""The loop behind blocking clients, and the loops that they may not wait in."""

from __future__ import annotations

import asyncio

import pytest

from convex_async import LocalProtocolError
from convex_async.deployment.serving import is_served_here
from convex_async.local import LocalDeployment
from convex_async.sync import ConvexClient, ConvexHttpClient
from tests.integration.backend import make_functions


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_a_call_in_the_thread_that_serves_it_does_not_wait_for_itself(
    make: type[ConvexClient] | type[ConvexHttpClient],
) -> None:
    async with LocalDeployment(make_functions()) as deployment:
        url = deployment.url
        client = make(url, timeout=5)
        for call in (client.query, client.mutation, client.action):
            with pytest.raises(LocalProtocolError, match="would wait for itself"):
                call("notes:list")
        # In a thread of its own, and begun without waiting, it works.
        assert await asyncio.to_thread(client.query, "notes:list") == []
        if isinstance(client, ConvexClient):
            begun = client.submit("query", "notes:list")
            assert await asyncio.wrap_future(begun) == []
        await asyncio.to_thread(client.close)
        assert is_served_here(url)
    assert not is_served_here(url)
