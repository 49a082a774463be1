"""A client core, and a deployment that answers as told, for each trap that needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.http.conftest import ScriptedDeployment
from tests.protocol.client.test_client_protocol import Session


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedDeployment]:
    scripted = ScriptedDeployment()
    await scripted.server.start_server()
    yield scripted
    await scripted.server.close()
