"""What is wrong with a client's options, said at once and in short."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from convex_async import ConvexClient, LocalProtocolError
from convex_async.local import LocalDeployment


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": 5}, "a deployment URL is a string such as"),
        ({"timeout": "5"}, "timeout is a number of seconds, not '5'"),
        ({"inactivity_timeout": "5"}, "inactivity_timeout is a number of seconds, not '5'"),
        ({"close_timeout": None}, "close_timeout is a number of seconds, not None"),
        ({"timeout": True}, "timeout is a number of seconds, not True"),
        ({"session": 5}, "session is an aiohttp.ClientSession, not int"),
    ],
)
def test_an_option_of_the_wrong_type_is_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        ConvexClient(**{"url": "http://127.0.0.1:1", **options})


async def test_a_closed_session_is_its_owners_error(deployment: LocalDeployment) -> None:
    session = aiohttp.ClientSession()
    async with ConvexClient(deployment.url, session=session, close_timeout=0) as client:
        await client.query("notes:list")
        await session.close()
        async for state in client.states():
            if state.phase == "stopped":
                break
        with pytest.raises(LocalProtocolError, match="session that the client was given is closed"):
            await client.query("notes:list")
