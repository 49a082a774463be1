"""Whose session it is, and who closes it."""

import aiohttp
import pytest

from convex_async import LocalProtocolError
from convex_async.transport.session import SessionHolder


async def test_a_session_of_ours_is_made_once_and_closed() -> None:
    holder = SessionHolder()
    made = holder.get()
    assert holder.get() is made
    assert isinstance(made.cookie_jar, aiohttp.DummyCookieJar)
    await holder.close()
    await holder.close()
    assert made.closed


async def test_the_users_session_stays_open() -> None:
    async with aiohttp.ClientSession() as theirs:
        holder = SessionHolder(theirs)
        assert holder.get() is theirs
        await holder.close()
        assert not theirs.closed
    with pytest.raises(LocalProtocolError, match="is closed"):
        holder.get()
