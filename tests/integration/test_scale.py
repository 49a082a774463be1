"""Many updates and many subscriptions cost what changes, and no more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from convex_async import ConvexClient
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.messages import Action, ModifyQuerySet
from tests.protocol.wire import Server, action_succeeded, updated

UPDATES = 100_000
SUBSCRIPTIONS = 10_000
# Blocks of memory that the two ends of a flood may have in flight, whatever its length.
IN_FLIGHT = 5_000


@pytest.fixture
async def flooding() -> AsyncIterator[str]:
    """A deployment that answers a subscription with 100,000 states, and then an action."""

    async def sync(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        server = Server()
        async for message in socket:
            match decode_client_message(message.data.encode()):
                case ModifyQuerySet(modifications=[_]):
                    for number in range(UPDATES):
                        state = updated(0, b'["%s",%d.0]' % (b"x" * 1000, number))
                        frame = encode_message(server.transition(state, ts=number + 1, query_set=1))
                        await socket.send_frame(frame, WSMsgType.TEXT)
                case Action(request_id):
                    answer = encode_message(action_succeeded(request_id, b"null"))
                    await socket.send_frame(answer, WSMsgType.TEXT)
                case _:
                    pass
        return socket

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url(""))
    await server.close()


async def test_a_slow_consumer_of_100_000_updates(flooding: str) -> None:
    """It costs the memory of one, and gets the newest."""
    peak = 0

    async def measure() -> None:
        nonlocal peak
        while True:
            await asyncio.sleep(0.01)
            peak = max(peak, sys.getallocatedblocks())

    async with ConvexClient(flooding) as client:
        states = client.subscribe("a:b")
        first = await anext(states)
        before = sys.getallocatedblocks()
        measuring = asyncio.create_task(measure())
        await client.action("a:c")  # it is answered after the flood
        measuring.cancel()
        assert first[1] < UPDATES / 10
        assert (await anext(states))[1] == UPDATES - 1
    assert peak - before < IN_FLIGHT


@pytest.fixture
async def rooms() -> AsyncIterator[LocalDeployment]:
    table = define_table({"room": v.float64()}).index("by_room", ["room"])
    functions = Functions(define_schema({"messages": table}))

    @functions.query("messages:count", args={"room": v.float64()})
    async def number(ctx: Any, room: float) -> Any:
        found = ctx.db.query("messages").with_index("by_room", lambda q: q.eq("room", room))
        return len(await found.collect())

    @functions.mutation("messages:send", args={"room": v.float64()})
    async def send(ctx: Any, room: float) -> None:
        await ctx.db.insert("messages", {"room": room})

    async with LocalDeployment(functions) as deployment:
        yield deployment


async def test_10_000_subscriptions(rooms: LocalDeployment) -> None:
    """They are one message, and an update, a reconnect or a farewell costs only what it touches."""
    async with ConvexClient(rooms.url) as client:
        subscriptions = [
            client.subscribe("messages:count", {"room": float(room)})
            for room in range(SUBSCRIPTIONS)
        ]
        assert await asyncio.gather(*map(anext, subscriptions)) == [0] * SUBSCRIPTIONS
        updates = [asyncio.ensure_future(anext(each)) for each in subscriptions]

        await client.mutation("messages:send", {"room": 77.0})
        assert await updates[77] == 1
        rooms.faults.drop()
        await client.mutation("messages:send", {"room": 88.0})
        assert await updates[88] == 1
        assert sum(update.done() for update in updates) == 2
        assert client.state.connection_count == 2

        for update in updates:
            update.cancel()
        await asyncio.wait(updates)
        for subscription in subscriptions:
            subscription.close()
        await client.mutation("messages:send", {"room": 99.0})
        assert client._driver.subscribers == 0
