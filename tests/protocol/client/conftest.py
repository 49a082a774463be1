"""A client core of its own for each test."""

import pytest

from tests.protocol.client.test_client_protocol import Session


@pytest.fixture
def session() -> Session:
    return Session()
