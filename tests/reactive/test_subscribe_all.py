"""Views of several queries, over real sockets that are dropped."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import Any

import pytest

from convex_async import ClientClosedError, ConvexClient, ConvexError, InvalidValueError
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import ClientMessage, ModifyQuerySet, Remove

BOTH: dict[str, Any] = {
    "ada": ("accounts:balance", {"name": "ada"}),
    "bob": ("accounts:balance", {"name": "bob"}, int),
}


@pytest.fixture(autouse=True)
async def accounts(deployment: LocalDeployment) -> None:
    for name in ("ada", "bob"):
        await deployment.run("accounts:open", {"name": name, "balance": 100.0})


async def move(deployment: LocalDeployment, amount: float) -> None:
    await deployment.run("accounts:move", {"source": "ada", "target": "bob", "amount": amount})


async def test_no_moment_is_torn_while_others_write_and_sockets_drop(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    view = client.subscribe_all(BOTH)
    # One that comes later shares a query of the first, whose result is there already.
    assert sum((await anext(view)).values()) == 200
    later = client.subscribe_all(
        {"bob": ("accounts:balance", {"name": "bob"}), **{"ada": BOTH["ada"]}}
    )

    async def write() -> None:
        async with ConvexClient(deployment.url, close_timeout=0.5) as writer:
            for turn in range(60):
                args = {"source": "ada", "target": "bob", "amount": 1}
                await writer.mutation("accounts:move", args)
                if turn % 15 == 14:
                    deployment.faults.drop()

    writing = asyncio.create_task(write())
    seen = [await anext(view)]
    while seen[-1]["bob"] < 160:
        moment = await asyncio.wait_for(anext(view), 20)
        assert sum(moment.values()) == 200
        assert moment["bob"] > seen[-1]["bob"]
        seen.append(moment)
    await writing
    assert len(seen) > 10
    assert client.state.connection_count > 2
    assert await later.get(10) == {"bob": 160, "ada": 40}
    assert all(type(moment["bob"]) is int for moment in seen)


async def test_one_item_a_moment(deployment: LocalDeployment, client: ConvexClient) -> None:
    async with client.subscribe_all(BOTH) as view:
        assert await view.get() == {"ada": 100, "bob": 100}
        first = view.ts
        await move(deployment, 10.0)
        assert await anext(view) == {"ada": 90, "bob": 110}
        assert view.ts > first
        with pytest.raises(TimeoutError):
            await view.get(0.05)
        await deployment.run("accounts:open", {"name": "eve", "balance": 1.0})
        await move(deployment, 5.0)  # all skipped ones come as one, the newest
        await move(deployment, 5.0)
        await client.mutation("items:put", {"numbers": []})
        assert await anext(view) == {"ada": 80, "bob": 120}


async def test_a_failing_query_raises_and_the_next_moment_goes_on(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    async with client.subscribe_all(BOTH) as view, client.subscribe_all(BOTH) as data:
        results = data.results()
        assert await anext(view) == {"ada": 100, "bob": 100}
        assert {key: result.value for key, result in (await anext(results)).items()} == {
            "ada": 100,
            "bob": 100,
        }
        await deployment.run("accounts:close", {"name": "bob"})
        with pytest.raises(ConvexError) as caught:
            await anext(view)
        assert caught.value.data == {"code": "NO_ACCOUNT", "name": "bob"}
        moment = await anext(results)
        assert moment["ada"].value == 100
        assert isinstance(moment["bob"].error, ConvexError)
        assert moment["bob"].ts > moment["ada"].ts
        await deployment.run("accounts:open", {"name": "bob", "balance": 7.0})
        assert await anext(view) == {"ada": 100, "bob": 7}


async def test_bad_queries_raise_at_the_call(client: ConvexClient) -> None:
    bad: list[Any] = [{}, {"a": "no such:path:"}, {"a": ("x", {}, int, 1)}, {"a": 1}]
    for queries in bad:
        with pytest.raises((TypeError, ValueError)):
            client.subscribe_all(queries)
    with pytest.raises(InvalidValueError, match=r"args\.name"):
        client.subscribe_all({"a": ("accounts:balance", {"name": 2**60})})


async def test_a_view_that_is_dropped_leaves_its_queries(
    client: ConvexClient, frames: list[ClientMessage]
) -> None:
    async for _ in client.subscribe_all(BOTH):
        break
    gc.collect()
    kept = client.subscribe_all(BOTH)
    assert "live" in repr(kept)
    await kept.get()
    async with aclosing(kept):
        pass
    assert "closed" in repr(kept)
    assert [moment async for moment in kept] == []
    await client.mutation("items:put", {"numbers": []})
    removed = [
        change
        for frame in frames
        if isinstance(frame, ModifyQuerySet)
        for change in frame.modifications
        if isinstance(change, Remove)
    ]
    assert len(removed) in (2, 4)  # the second may have come before the first was gone


async def test_a_closed_client_ends_a_wait(client: ConvexClient) -> None:
    view = client.subscribe_all(BOTH)
    await view.get()
    waiting = asyncio.create_task(view.get())
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(ClientClosedError):
        await waiting
