"""A set of queries is shown at whole moments only, also while a new socket confirms them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from convex_async.connection.running import Running
from convex_async.errors import ClientClosedError, LocalProtocolError
from convex_async.function_path import canonical_path
from convex_async.reactive.watcher import QuerySetWatcher
from tests.reactive.scripted import Script

A, B = canonical_path("a"), canonical_path("b")


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def driver(script: Script) -> AsyncIterator[Running]:
    driver = script.driver()
    yield driver
    await driver.stop(ClientClosedError())


def shown(watcher: QuerySetWatcher[str]) -> dict[str, bytes | None]:
    return {key: getattr(member.shown, "value", None) for key, member in watcher.members.items()}


def watcher_of(driver: Running, *, whole: bool = True) -> QuerySetWatcher[str]:
    watcher: QuerySetWatcher[str] = QuerySetWatcher(driver, whole=whole)
    watcher.add("a", A, b"{}")
    watcher.add("b", B, b"{}")
    return watcher


async def test_nothing_is_shown_while_some_queries_are_of_an_earlier_socket(
    script: Script, driver: Running
) -> None:
    watcher = watcher_of(driver)
    socket = await script.sockets.get()
    await socket.modified()
    socket.transition(10, {0: 1, 1: 1})
    assert await watcher.changed()
    assert shown(watcher) == {"a": b"1", "b": b"1"}
    socket.drop()
    socket = await script.sockets.get()
    await socket.modified()
    changed = asyncio.create_task(watcher.changed())
    socket.transition(20, {0: 2})  # b is still loading an index, see protocol 4.3
    socket.transition(21, {})
    barrier = QuerySetWatcher[str](driver, whole=True)
    barrier.add("c", canonical_path("c"), b"{}")
    await socket.modified()
    socket.transition(22, {2: 0})
    assert await barrier.changed()
    assert not changed.done()
    assert shown(watcher) == {"a": b"1", "b": b"1"}
    socket.transition(30, {1: 1})  # the same value as before: no delivery tells of it
    assert await asyncio.wait_for(changed, 5)
    assert shown(watcher) == {"a": b"2", "b": b"1"}


async def test_a_moment_that_brings_nothing_new_is_not_shown(
    script: Script, driver: Running
) -> None:
    watcher = watcher_of(driver)
    socket = await script.sockets.get()
    await socket.modified()
    socket.transition(10, {0: 1, 1: 1})
    assert await watcher.changed()
    follower: QuerySetWatcher[str] = QuerySetWatcher(driver, whole=True)
    follower.add("a", A, b"{}")
    assert await follower.changed()
    for ts, value in ((20, 2), (30, 1)):  # there and back, while nobody looks
        socket.transition(ts, {0: value})
        assert await follower.changed()
    again = asyncio.create_task(watcher.changed())
    socket.transition(40, {1: 5})
    assert await again
    assert shown(watcher) == {"a": b"1", "b": b"5"}
    assert watcher.ts == 40


async def test_a_set_that_need_not_be_whole_shows_what_is_there(
    script: Script, driver: Running
) -> None:
    watcher = watcher_of(driver, whole=False)
    socket = await script.sockets.get()
    await socket.modified()
    socket.transition(10, {1: 1})
    assert await watcher.changed()
    assert shown(watcher) == {"a": None, "b": b"1"}
    watcher.remove("b")
    watcher.remove("b")
    socket.transition(20, {0: 1, 1: 2})
    assert await watcher.changed()
    assert shown(watcher) == {"a": b"1"}


async def test_who_waits_is_told_of_the_end(script: Script, driver: Running) -> None:
    watcher = watcher_of(driver)
    waiting = asyncio.create_task(watcher.changed())
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError, match="another task"):
        await watcher.changed()
    watcher.close()
    assert await waiting is False
    assert await watcher.changed() is False
    failing = watcher_of(driver)
    await driver.stop(ClientClosedError())
    with pytest.raises(ClientClosedError):
        await failing.changed()


async def test_leaving_takes_the_queries_along(script: Script, driver: Running) -> None:
    watcher = watcher_of(driver)
    socket = await script.sockets.get()
    await socket.modified()
    watcher.close()
    assert [change["type"] for change in await socket.modified()] == ["Remove", "Remove"]
