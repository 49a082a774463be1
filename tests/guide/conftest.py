from collections.abc import AsyncIterator

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.guide.backend import functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(functions) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url) as client:
        yield client
