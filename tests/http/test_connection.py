"""Every request has a limit, which closing can end."""

import asyncio

import pytest

from convex_async import ClientClosedError, RequestTimeoutError
from convex_async.http.connection import HttpConnection
from convex_async.transport.http import Attempt


async def test_a_limit_ends_a_request() -> None:
    connection = HttpConnection(None)
    with pytest.raises(RequestTimeoutError, match="a:b"):
        async with connection.limit("a:b", 0.01, Attempt()):
            await asyncio.Event().wait()
    await connection.close()


async def test_closing_ends_what_is_under_way_and_waits_for_it() -> None:
    connection = HttpConnection(None)
    began, ended = asyncio.Event(), False

    async def request() -> None:
        nonlocal ended
        try:
            async with connection.limit("a:b", None, Attempt()):
                began.set()
                await asyncio.Event().wait()
        finally:
            ended = True

    task = asyncio.create_task(request())
    await began.wait()
    session = connection.session()
    await connection.close()
    assert ended
    assert session.closed
    with pytest.raises(ClientClosedError):
        await task
    with pytest.raises(ClientClosedError):
        connection.session()
