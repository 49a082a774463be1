"""The registry of open sockets, by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from convex_async.local.server.sockets import Sockets


class Fake:
    def __init__(self, sockets: Sockets) -> None:
        self.done: list[str] = []
        self.may_end = asyncio.Event()
        self._sockets = sockets

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.done.append(name)

    def abort(self) -> None:
        self.done.append("abort")
        self._sockets.discard(self)

    async def drain(self) -> None:
        await self.may_end.wait()
        self.done.append("drain")
        self._sockets.discard(self)


def test_each_open_socket_is_acted_on_though_it_ends_by_that() -> None:
    sockets = Sockets()
    first, second, gone = (Fake(sockets) for _ in range(3))
    for one in (first, second, gone):
        sockets.add(one)
    sockets.discard(gone)
    assert sockets.each(lambda socket: socket.abort()) == 2
    assert (first.done, second.done, gone.done) == (["abort"], ["abort"], [])
    assert len(sockets) == 0


async def test_draining_waits_for_the_last() -> None:
    sockets = Sockets()
    first, second = Fake(sockets), Fake(sockets)
    sockets.add(first)
    sockets.add(second)
    draining = asyncio.create_task(sockets.drain())
    first.may_end.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not draining.done()
    second.may_end.set()
    await draining
    assert len(sockets) == 0
