"""Subscriptions over a real socket."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest

from convex_async import ConvexClient, ConvexError, LocalProtocolError
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import ClientMessage, ModifyQuerySet
from convex_async.protocol.server.server_protocol import ServerProtocol


@pytest.fixture
def query_sets(monkeypatch: pytest.MonkeyPatch) -> list[ModifyQuerySet]:
    """The ModifyQuerySet messages that the deployment gets."""
    seen: list[ModifyQuerySet] = []
    received = ServerProtocol.received

    def record(self: ServerProtocol[Any], message: ClientMessage, *, now: float, ts: int) -> None:
        if isinstance(message, ModifyQuerySet):
            seen.append(message)
        received(self, message, now=now, ts=ts)

    monkeypatch.setattr(ServerProtocol, "received", record)
    return seen


async def settle(client: ConvexClient) -> None:
    """Wait until the deployment has handled what was sent before."""
    await client.mutation("notes:touch")


async def test_a_thousand_subscriptions_of_a_tick_are_one_message(
    client: ConvexClient, query_sets: list[ModifyQuerySet]
) -> None:
    await client.connect()
    await settle(client)
    query_sets.clear()
    subscriptions = [client.subscribe("notes:count", {"tag": n}) for n in range(1000)]
    values = await asyncio.gather(*(subscription.get() for subscription in subscriptions))
    assert values == [0.0] * 1000
    assert [len(message.modifications) for message in query_sets] == [1000]


async def test_equal_subscriptions_share_one_query(
    client: ConvexClient, query_sets: list[ModifyQuerySet]
) -> None:
    one = client.subscribe("notes:count", {"tag": 1})
    other = client.subscribe("notes.js:count", {"tag": 1.0})
    assert await one.get() == await other.get() == 0
    one.close()
    await client.mutation("notes:add", {"text": "x"})
    assert await other.get() == 0
    other.close()
    await settle(client)
    changes = [change for message in query_sets for change in message.modifications]
    assert [type(change).__name__ for change in changes] == ["Add", "Remove"]


async def test_break_leaves_the_query(
    client: ConvexClient, query_sets: list[ModifyQuerySet]
) -> None:
    async for _ in client.subscribe("notes:list"):
        break
    await asyncio.sleep(0)
    await settle(client)
    assert type(query_sets[-1].modifications[-1]).__name__ == "Remove"


async def test_a_collected_subscription_leaves_the_query(
    client: ConvexClient, query_sets: list[ModifyQuerySet]
) -> None:
    subscription = client.subscribe("notes:list")
    await subscription.get()
    del subscription
    gc.collect()
    await asyncio.sleep(0)
    await settle(client)
    assert type(query_sets[-1].modifications[-1]).__name__ == "Remove"


async def test_an_equal_result_is_not_delivered_again(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    counts = client.subscribe("notes:count", {"tag": "a"})
    assert await anext(counts) == 0
    await client.mutation("notes:add", {"text": "b"})  # the query runs again: still none
    deployment.faults.drop()
    await client.mutation("notes:add", {"text": "a"})
    assert await anext(counts) == 1


async def test_a_failing_query_raises_and_recovers(client: ConvexClient) -> None:
    strict = client.subscribe("notes:strict")
    assert await anext(strict) == 0
    await client.mutation("notes:add", {"text": "bad"})
    with pytest.raises(ConvexError) as caught:
        await anext(strict)
    assert caught.value.data == {"code": "BAD_NOTE"}
    await client.mutation("notes:clear")
    assert await anext(strict) == 0


async def test_failures_as_data(client: ConvexClient) -> None:
    async with client.subscribe("notes:strict") as strict:
        results = strict.results()
        assert (await anext(results)).value == 0
        await client.mutation("notes:add", {"text": "bad"})
        failed = await anext(results)
        assert isinstance(failed.error, ConvexError)
        assert failed.ts > 0
        await results.aclose()


async def test_changes_tell_what_changed(client: ConvexClient) -> None:
    first = await client.mutation("notes:add", {"text": "1"})
    async with client.subscribe("notes:list") as notes:
        changes = notes.changes()
        start = await anext(changes)
        assert [note["_id"] for note in start.inserted] == [first]
        second = await client.mutation("notes:add", {"text": "2"})
        change = await anext(changes)
        assert [note["_id"] for note in change.inserted] == [second]
        assert (change.updated, change.deleted) == ([], {})
        await client.mutation("notes:clear")
        change = await anext(changes)
        assert set(change.deleted) == {first, second}
        assert change.value() == []
        await changes.aclose()
        counts = client.subscribe("notes:count", {"tag": 1}).changes()
        with pytest.raises(TypeError, match="list"):
            await anext(counts)


async def test_plain_json(client: ConvexClient) -> None:
    await client.mutation("notes:add", {"text": "1"})
    async with client.subscribe("notes:list") as notes:
        bodies = notes.json()
        assert json.loads(await anext(bodies))[0]["text"] == "1"
        await bodies.aclose()


async def test_until(client: ConvexClient) -> None:
    async with client.subscribe("notes:list") as notes:
        waiting = asyncio.create_task(notes.until(lambda now: len(now) >= 2, timeout=5))
        await client.mutation("notes:add", {"text": "1"})
        await client.mutation("notes:add", {"text": "2"})
        assert len(await waiting) == 2
        with pytest.raises(TimeoutError):
            await notes.until(lambda now: False, timeout=0.01)


async def test_one_consumer_at_a_time(client: ConvexClient) -> None:
    notes = client.subscribe("notes:list")
    await anext(notes)
    first = asyncio.create_task(anext(notes))
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError, match="another task"):
        await anext(notes)
    await client.mutation("notes:add", {"text": "1"})
    assert len(await first) == 1


async def test_a_cancelled_wait_loses_nothing(client: ConvexClient) -> None:
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    waiting = asyncio.create_task(anext(notes))
    await asyncio.sleep(0)
    waiting.cancel()
    await client.mutation("notes:add", {"text": "1"})
    assert len(await anext(notes)) == 1


async def test_a_slow_consumer_gets_the_newest(client: ConvexClient) -> None:
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    for number in range(5):
        await client.mutation("notes:add", {"text": str(number)})
    assert len(await anext(notes)) == 5


async def test_a_buffer_keeps_each_state_and_tells_of_an_overflow(client: ConvexClient) -> None:
    notes = client.subscribe("notes:list", buffer=3)
    assert await anext(notes) == []
    for number in range(3):
        await client.mutation("notes:add", {"text": str(number)})
    assert [len(await anext(notes)) for _ in range(3)] == [1, 2, 3]
    for number in range(4):
        await client.mutation("notes:add", {"text": str(number)})
    with pytest.raises(LocalProtocolError, match="behind"):
        await anext(notes)
    assert len(await anext(notes)) == 7


async def test_a_late_subscriber_gets_the_present_value(client: ConvexClient) -> None:
    early = client.subscribe("notes:list")
    await early.get()
    late: Any = client.subscribe("notes:list")
    assert await asyncio.wait_for(anext(late), 0.1) == []


async def test_until_awaits_a_coroutine_function(client: ConvexClient) -> None:
    async def two(notes: list[Any]) -> bool:
        await asyncio.sleep(0)
        return len(notes) >= 2

    notes = client.subscribe("notes:list")
    waiting = asyncio.create_task(notes.until(two, timeout=5))
    for text in ("one", "two"):
        await client.mutation("notes:add", {"text": text})
        await asyncio.sleep(0.05)
        assert waiting.done() == (text == "two")
    assert len(await waiting) == 2


async def test_a_timeout_of_the_predicate_is_its_own(client: ConvexClient) -> None:
    async def late(_: object) -> bool:
        raise TimeoutError("of my own")

    with pytest.raises(TimeoutError, match="of my own"):
        await client.subscribe("notes:list").until(late, timeout=5)


async def test_changes_count_as_seen(client: ConvexClient) -> None:
    notes = client.subscribe("notes:list")
    changes = notes.changes()
    assert (await anext(changes)).inserted == []
    following = asyncio.ensure_future(anext(notes))
    await asyncio.sleep(0.05)
    assert not following.done()  # the state that `changes` gave does not come twice
    await client.mutation("notes:add", {"text": "1"})
    assert len(await following) == 1
    await changes.aclose()
