from collections.abc import AsyncIterator

import pytest

from convex_async.http import ConvexHttpClient
from tests.files.storage import Storage


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    storage = Storage()
    await storage.server.start_server()
    yield storage
    storage.silent.set()
    await storage.server.close()


@pytest.fixture
async def client(storage: Storage) -> AsyncIterator[ConvexHttpClient]:
    async with ConvexHttpClient(storage.url("")) as client:
        yield client
