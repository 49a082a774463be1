"""When what was asked leaves: a call alone at once, all else of a tick together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from convex_async import ConvexClient, RequestTimeoutError
from convex_async.protocol.frames import decode_client_message
from convex_async.protocol.messages import ClientMessage
from convex_async.transport.base import ConnectionClosed


class Wire:
    """A transport that keeps what is sent and brings nothing."""

    def __init__(self) -> None:
        self.is_clear = True
        self.is_broken = False
        self.taken = asyncio.Event()
        self.taken.set()
        self.sent: list[ClientMessage] = []

    async def send(self, frame: bytes) -> None:
        if self.is_broken:
            raise ConnectionClosed("FailedToSendMessage")
        self.sent.append(decode_client_message(frame))
        await self.taken.wait()

    async def receive(self) -> bytes | None:
        await asyncio.Event().wait()
        return None

    async def close(self, *, timeout: float) -> None:
        pass

    def kinds(self) -> list[str]:
        """What was sent since the last call."""
        kinds = [type(message).__name__ for message in self.sent]
        self.sent.clear()
        return kinds


Wired = tuple[ConvexClient, list[Wire]]


@pytest.fixture
async def wired(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wired]:
    """A client, and the sockets that it opened."""
    wires: list[Wire] = []

    async def connect() -> Wire:
        wires.append(Wire())
        return wires[-1]

    monkeypatch.setattr(
        "convex_async.connection.driver.WebSocketConnector", lambda *args, **options: connect
    )
    async with ConvexClient("http://127.0.0.1:1", close_timeout=0) as client:
        await client.connect()
        await turns(1)
        assert wires[0].kinds() == ["Connect", "ModifyQuerySet"]
        yield client, wires


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def call(client: ConvexClient, kind: str = "mutation", **options: Any) -> asyncio.Task[Any]:
    return asyncio.ensure_future(getattr(client, kind)("tasks:do", **options))


@pytest.mark.parametrize("kind", ["mutation", "action"])
async def test_a_call_alone_leaves_in_its_own_turn(wired: Wired, kind: str) -> None:
    client, (wire,) = wired
    waiting = call(client, kind)
    await turns(1)
    assert wire.kinds() == [kind.title()]
    waiting.cancel()


async def test_further_calls_leave_together(wired: Wired) -> None:
    client, (wire,) = wired
    waiting = [call(client) for _ in range(3)]
    await turns(1)
    assert wire.kinds() == ["Mutation"]
    await turns(1)
    assert wire.kinds() == ["Mutation", "Mutation"]
    for each in waiting:
        each.cancel()


async def test_a_call_leaves_behind_the_subscriptions_of_its_tick(wired: Wired) -> None:
    client, (wire,) = wired
    subscriptions = []

    async def subscribe_and_call() -> None:
        subscriptions.append(client.subscribe("tasks:list"))
        await client.mutation("tasks:do")

    waiting = asyncio.ensure_future(subscribe_and_call())
    await turns(1)
    assert wire.kinds() == []
    subscriptions.append(client.subscribe("tasks:count"))
    await turns(1)
    assert wire.kinds() == ["ModifyQuerySet", "Mutation"]
    waiting.cancel()
    for subscription in subscriptions:
        subscription.close()


async def test_a_peer_that_does_not_read_holds_up_no_caller(wired: Wired) -> None:
    client, (wire,) = wired
    wire.is_clear = False
    wire.taken.clear()
    with pytest.raises(RequestTimeoutError) as caught:
        await client.mutation("tasks:do", timeout=0.05)
    assert caught.value.outcome == "unknown"
    waiting = call(client)
    await turns(3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert wire.kinds() == ["Mutation"]  # the second was not sent, and will not be


async def test_a_call_that_cannot_be_sent_leaves_on_the_next_socket(wired: Wired) -> None:
    client, wires = wired
    wires[0].is_broken = True
    waiting = call(client)
    async for state in client.states():
        if state.phase == "disconnected":
            break
    await client.connect()
    await turns(1)
    assert client.state.last_close_reason == "FailedToSendMessage"
    assert wires[1].kinds() == ["Connect", "ModifyQuerySet", "Mutation"]
    waiting.cancel()
