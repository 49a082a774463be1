from __future__ import annotations

import asyncio
import time

import pytest

from convex_async.connection.alarm import Alarm
from convex_async.connection.callers import Callers
from convex_async.connection.delivery import Delivery
from convex_async.connection.mailbox import Mailbox
from convex_async.outbox.no_journal import NoJournal
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.messages import Ping


class Core(ClientProtocol[Mailbox]):
    """Counts how often its deadline is asked for."""

    asked = 0

    @property
    def next_deadline(self) -> float | None:
        self.asked += 1
        return super().next_deadline


@pytest.fixture
async def online() -> tuple[Core, Delivery]:
    """A socket is open, of which nobody was told yet."""
    loop = asyncio.get_running_loop()
    core = Core(session_id="a")
    callers = Callers(core, loop, NoJournal(), lambda: None)
    delivery = Delivery(core, callers, Alarm(loop), loop=loop, clock=time.monotonic)
    core.connected(now=time.monotonic())
    return core, delivery


async def test_a_message_does_not_move_a_timer_that_is_set(online: tuple[Core, Delivery]) -> None:
    """It comes for each frame: a look at all deadlines took a tenth of what a call does."""
    core, delivery = online
    delivery.settle()
    asked = core.asked
    for _ in range(3):
        core.received(Ping(), now=time.monotonic())
        delivery.received()
    assert core.asked == asked
    delivery.stop_timer()


async def test_a_message_sets_the_timer_if_there_is_none(online: tuple[Core, Delivery]) -> None:
    core, delivery = online
    core.received(Ping(), now=time.monotonic())
    delivery.received()
    assert core.asked == 1
    delivery.received()
    assert core.asked == 1  # there is one now
    delivery.stop_timer()
