"""Live pages over real sockets, beside a writer in the middle of them and a plain query."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
import pytest

from convex_async import (
    ConvexClient,
    ConvexError,
    LivePages,
    LocalProtocolError,
    PageCall,
    QueryCall,
)
from convex_async.local import LocalDeployment


class Item(msgspec.Struct, frozen=True):
    number: float
    text: str | None = None


def status(pages: LivePages[Any]) -> str:
    """The status, which type checkers would else believe to stay."""
    return pages.status


async def put(deployment: LocalDeployment, *numbers: float) -> None:
    await deployment.run("items:put", {"numbers": list(numbers)})


def numbers(items: list[Any]) -> list[float]:
    return [item["number"] for item in items]


async def until(pages: LivePages[Any], expected: list[float]) -> None:
    async with asyncio.timeout(10):
        async for items in pages:
            if numbers(items) == expected:
                return


async def test_a_list_is_loaded_to_its_end(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 1, 2, 3, 4)
    pages = client.paginate_live("items:ranked", page_size=2)
    assert status(pages) == "loading"
    assert not pages.load_more()
    assert numbers(await anext(pages)) == [1, 2]
    assert status(pages) == "can_load_more"
    assert pages.load_more(2)
    assert status(pages) == "loading_more"
    assert numbers(await anext(pages)) == [1, 2, 3, 4]
    assert status(pages) == "can_load_more"  # a page that is just full does not know of the end
    assert pages.load_more()
    assert numbers(await anext(pages)) == [1, 2, 3, 4]  # the wait ends though nothing came
    assert status(pages) == "exhausted"
    assert not pages.load_more()
    assert "exhausted" in repr(pages)
    await put(deployment, 5)
    assert numbers(await anext(pages)) == [1, 2, 3, 4, 5]
    assert numbers(await pages.get()) == [1, 2, 3, 4, 5]
    pages.close()
    assert [items async for items in pages] == []
    async with client.paginate_live("items:ranked") as never:
        never.close()
        with pytest.raises(LocalProtocolError, match="closed"):
            await never.get()


async def test_what_comes_and_goes_within_is_shown_once_and_in_order(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 10, 20, 30, 40, 50)
    pages = client.paginate_live("items:ranked", page_size=2)
    await until(pages, [10, 20])
    pages.load_more()
    await until(pages, [10, 20, 30, 40])
    await put(deployment, 15)
    await until(pages, [10, 15, 20, 30, 40])
    await put(deployment, 25)
    await until(pages, [10, 15, 20, 25, 30, 40])
    await put(deployment, 5)  # more than twice a page: it splits
    await until(pages, [5, 10, 15, 20, 25, 30, 40])
    await deployment.run("items:drop", {"number": 20})  # a page ended with it
    await until(pages, [5, 10, 15, 25, 30, 40])
    pages.load_more(5)
    await until(pages, [5, 10, 15, 25, 30, 40, 50])
    assert status(pages) == "exhausted"


@pytest.mark.parametrize("seed", range(3))
async def test_each_list_is_a_prefix_of_the_query_at_its_time(
    deployment: LocalDeployment, client: ConvexClient, seed: int
) -> None:
    """A writer inserts, changes and deletes in the middle; sockets drop; pages load and split."""
    draw = random.Random(seed)
    there = [float(number) for number in range(0, 600, 20)]
    await put(deployment, *there)
    moments: dict[int, list[float]] = {}

    async def follow() -> None:
        async for result in client.subscribe("items:all", buffer=1000).results():
            assert result.value is not None
            moments[result.ts] = numbers(result.value)
            if -1.0 in moments[result.ts]:
                return

    async def write() -> None:
        async with ConvexClient(deployment.url, close_timeout=0.5) as writer:
            for turn in range(100):
                if draw.random() < 0.7 or len(there) < 5:
                    new = draw.uniform(0, 700)
                    there.append(new)
                    await writer.mutation("items:put", {"numbers": [new]})
                else:
                    gone = there.pop(draw.randrange(len(there)))
                    await writer.mutation("items:drop", {"number": gone})
                if turn % 25 == 24:
                    deployment.faults.drop()
        await put(deployment, -1.0)

    seen: list[tuple[int, list[float], str]] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        pages = client.paginate_live("items:ranked", page_size=4)
        group.create_task(write())
        async for items in pages:
            seen.append((pages.ts, numbers(items), pages.status))
            if items and items[0]["number"] == -1.0 and pages.status == "exhausted":
                break
            pages.load_more()
    assert seen[-1][1] == sorted([*there, -1.0])
    assert client.state.connection_count > 2
    for ts, found, status in seen:
        whole = moments[max(moment for moment in moments if moment <= ts)]
        assert found == whole[: len(found)]
        assert status != "exhausted" or len(found) == len(whole)
    assert len(seen) > 20


async def test_a_reconnect_shows_nothing_that_did_not_change(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, *range(10))
    pages = client.paginate_live("items:ranked", page_size=3)
    await anext(pages)
    pages.load_more()
    assert len(await anext(pages)) == 6
    for count in (2, 3):
        deployment.faults.drop()
        async for state in client.states():
            if state.is_connected and state.connection_count == count:
                break
        await client.mutation("switches:off")  # whose transition comes after all pages
        await client.mutation("switches:on")
    await put(deployment, 2.5)
    items = await anext(pages)
    assert numbers(items) == [0, 1, 2, 2.5, 3, 4, 5]


async def test_pages_that_are_too_much_are_split_before_they_are_shown(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, *range(20))
    pages = client.paginate_live("items:crowded", {"limit": 3}, page_size=10)
    assert numbers(await anext(pages)) == list(range(10))
    pages.load_more()
    await until(pages, list(range(20)))
    await put(deployment, 0.5, 0.6)
    await until(pages, [0, 0.5, 0.6, *range(1, 20)])


async def test_a_query_that_became_another_begins_anew(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 1, 2, 3, 4, 5)
    pages = client.paginate_live("items:moody", page_size=2)
    await anext(pages)
    pages.load_more()
    assert numbers(await anext(pages)) == [1, 2, 3, 4]
    await deployment.run("switches:off")
    assert numbers(await anext(pages)) == [5, 4]
    pages.load_more(9)
    assert numbers(await anext(pages)) == [5, 4, 3, 2, 1]
    with pytest.raises(ConvexError):
        await anext(client.paginate_live("items:broken"))


async def test_a_failure_raises_and_the_list_comes_back(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 1, 2)
    pages = client.paginate_live("items:ranked", page_size=5, type=Item)
    assert await anext(pages) == [Item(1), Item(2)]
    await deployment.run("switches:off")
    with pytest.raises(ConvexError):
        await anext(pages)
    await deployment.run("switches:on")
    assert await anext(pages) == [Item(1), Item(2)]
    async with client.paginate_live("items:all") as wrong:
        with pytest.raises(Exception, match="paginationOpts"):
            await anext(wrong)


async def test_changes_are_those_of_the_whole_list(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 1, 2, 3)
    pages = client.paginate_live("items:ranked", page_size=2)
    changes = pages.changes()
    assert numbers((await anext(changes)).inserted) == [1, 2]
    pages.load_more()
    change = await anext(changes)
    assert (numbers(change.inserted), change.updated, change.deleted) == ([3], [], {})
    await deployment.run("items:mark", {"number": 1, "text": "new"})
    change = await anext(changes)
    assert [item["text"] for item in change.updated] == ["new"]
    assert numbers(change.value()) == [1, 2, 3]
    await deployment.run("items:drop", {"number": 2})
    assert numbers(list((await anext(changes)).deleted.values())) == [2]


async def test_bad_options_raise_at_the_call(client: ConvexClient) -> None:
    for size in (0, 40_000):
        with pytest.raises(ValueError, match="32000"):
            client.paginate_live("items:ranked", page_size=size)
    with pytest.raises(ValueError, match="paginationOpts"):
        client.paginate_live("items:ranked", {"paginationOpts": {}})
    with pytest.raises(ValueError, match="32000"):
        client.paginate_live("items:ranked").load_more(0)


async def test_typed_calls_say_what_comes(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await put(deployment, 1, 2)
    pages = client.paginate_live(PageCall[Item]("items:ranked", {}, type=Item), page_size=5)
    assert await pages.get() == [Item(1), Item(2)]
    whole = QueryCall[list[Item]]("items:all", {}, type=list[Item])
    assert await client.subscribe_all({"all": whole}).get() == {"all": [Item(1), Item(2)]}
    with pytest.raises(TypeError, match="items:all"):
        client.paginate_live(whole)  # type: ignore[call-overload]
