"""Frames handed over: as many as there are in one turn, but others get theirs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest

from convex_async.connection.alarm import Alarm
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.pump import SLICE, Pump
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.transport.base import ConnectionClosed

PING = b'{"type":"Ping"}'


class Wire:
    """A transport with the frames that it is given, which never waits while there is one."""

    is_clear = True

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def give(self, *frames: bytes) -> None:
        self.frames.extend(frames)
        if self._waiter is not None:
            self._waiter.set_result(None)

    async def send(self, frame: bytes) -> None:
        pass

    async def receive(self) -> bytes | None:
        while not self.frames:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame = self.frames.popleft()
        if not frame:
            raise ConnectionClosed("over")
        return frame

    async def close(self, *, timeout: float) -> None:
        pass


class Told:
    """What the pump tells: nothing is made of it here."""

    def received(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def tell_connected(self, failure: Exception | None = None) -> None:
        pass


class Clock:
    """Goes on by `step` seconds each time it is looked at."""

    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
async def pumped() -> AsyncIterator[tuple[Wire, Clock, ClientProtocol[Mailbox]]]:
    wire, clock = Wire(), Clock()
    core: ClientProtocol[Mailbox] = ClientProtocol(session_id="a")
    opened = asyncio.Event()

    async def connect() -> Wire:
        return wire

    told: Any = Told()
    loop = asyncio.get_running_loop()
    pump = Pump(
        core,
        connect,
        told,
        Alarm(loop),
        prepare=lambda: None,
        connected=opened.set,
        disconnected=lambda: None,
        connect_timeout=5,
        max_message_size=1000,
        loop=loop,
        clock=clock,
    )
    running = asyncio.create_task(pump.run())
    await opened.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # both tasks of the socket wait
    yield wire, clock, core
    running.cancel()
    await asyncio.wait([running])


async def test_what_came_together_is_handled_together_however_long_it_was_waited_for(
    pumped: tuple[Wire, Clock, ClientProtocol[Mailbox]],
) -> None:
    """An answer and its transition come in one piece: a turn between them would be in vain."""
    wire, clock, _ = pumped
    for _ in range(3):
        clock.now += 1.0
        wire.give(PING, PING)
        await asyncio.sleep(0)
        assert not wire.frames


async def test_others_get_their_turn_in_a_flood(
    pumped: tuple[Wire, Clock, ClientProtocol[Mailbox]],
) -> None:
    wire, clock, _ = pumped
    clock.step = SLICE / 4
    wire.give(*[PING] * 100)
    await asyncio.sleep(0)
    assert 80 < len(wire.frames) < 100
    await asyncio.sleep(0)
    assert len(wire.frames) < 95
