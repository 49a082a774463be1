"""A deployment, a client of it, and what it is told; a folder with others says so itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import ClientMessage
from convex_async.protocol.server.server_protocol import ServerProtocol
from tests.integration.backend import make_functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10, close_timeout=0.5) as client:
        yield client


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[ClientMessage]:
    """Every message that the deployment gets."""
    seen: list[ClientMessage] = []
    received = ServerProtocol.received

    def record(self: ServerProtocol[Any], message: ClientMessage, *, now: float, ts: int) -> None:
        seen.append(message)
        received(self, message, now=now, ts=ts)

    monkeypatch.setattr(ServerProtocol, "received", record)
    return seen
