"""How long a transfer may stand still."""

import asyncio

import pytest

from convex_async.files.sources import Patience


async def test_what_stands_still_ends() -> None:
    patience = Patience(0.01)
    with pytest.raises(TimeoutError):
        async with patience.limit:
            await asyncio.Event().wait()


async def test_what_moves_or_waits_for_the_user_goes_on() -> None:
    patience = Patience(5)
    async with patience.limit:
        first = patience.limit.when()
        await asyncio.sleep(0)
        patience.renew()
        assert first is not None
        assert (patience.limit.when() or 0) > first
        patience.pause()
        assert patience.limit.when() is None
    endless = Patience(None)
    async with endless.limit:
        endless.renew()
        assert endless.limit.when() is None
