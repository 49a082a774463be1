"""What every request of the HTTP client says."""

from __future__ import annotations

import pytest

from convex_async import ConvexClient, TransportError
from convex_async.http import ConvexHttpClient
from convex_async.version import CLIENT_HEADER
from tests.http.conftest import ScriptedDeployment


@pytest.mark.trap(36)
async def test_the_header_is_sent(deployment: ScriptedDeployment) -> None:
    """Every request names the client that made it, the WebSocket's upgrade too."""
    async with ConvexHttpClient(deployment.url) as client:
        await client.query("a:b")
    async with ConvexClient(deployment.url) as live:
        with pytest.raises(TransportError):  # it is not one to speak to by WebSocket
            await live.connect()
    assert [path for path, _, _ in deployment.requests] == ["/api/query", "/api/sync"]
    assert {headers["Convex-Client"] for _, headers, _ in deployment.requests} == {CLIENT_HEADER}
