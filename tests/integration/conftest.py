"""A deployment and a client for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10, close_timeout=0.5) as client:
        yield client
