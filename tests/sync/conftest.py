from collections.abc import Iterator

import pytest

from convex_async.local import LocalDeployment
from convex_async.sync import ConvexClient
from tests.guide.backend import functions
from tests.sync.served import served


@pytest.fixture
def deployment() -> Iterator[LocalDeployment]:
    with served(functions) as deployment:
        yield deployment


@pytest.fixture
def client(deployment: LocalDeployment) -> Iterator[ConvexClient]:
    with ConvexClient(deployment.url) as client:
        yield client
