"""A deployment with accounts and items, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from convex_async.local import LocalDeployment
from tests.reactive.backend import make_functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment
