"""One event loop, in one thread of one process."""

import asyncio

import pytest

from convex_async import LocalProtocolError
from convex_async.client_base.home_loop import Place


async def here() -> Place:
    return Place("ConvexClient")


def test_a_place_is_a_running_loop() -> None:
    with pytest.raises(LocalProtocolError, match="inside a running event loop"):
        Place("ConvexClient")


async def test_at_home_and_in_another_thread() -> None:
    place = await here()
    place.check()
    assert not place.has_ended
    with pytest.raises(LocalProtocolError, match="thread and process"):
        await asyncio.to_thread(place.check)


def test_a_loop_that_has_ended_is_no_home() -> None:
    place = asyncio.run(here())
    assert place.has_ended
    with pytest.raises(LocalProtocolError, match="event loop that first used it"):
        place.check()
