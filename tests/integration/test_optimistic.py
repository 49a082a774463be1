"""Optimistic updates over real sockets: what is shown before the deployment has answered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from convex_async import (
    CodecError,
    ConvexClient,
    ConvexError,
    LocalProtocolError,
    OptimisticLocalStore,
    RequestTimeoutError,
)
from convex_async.local import LocalDeployment


def add(store: OptimisticLocalStore, args: dict[str, Any]) -> None:
    notes = store.get_query("notes:list")
    if notes is not None:
        store.set_query("notes:list", None, [*notes, {"_id": "", "text": args["text"]}])


def texts(notes: list[dict[str, Any]]) -> list[str]:
    return [note["text"] for note in notes]


async def test_it_is_shown_until_the_mutation_is_visible(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    async with client.subscribe("notes:list") as notes:
        assert await anext(notes) == []
        deployment.faults.delay = 0.2
        adding = asyncio.ensure_future(client.mutation("notes:add", {"text": "a"}, optimistic=add))
        assert await anext(notes) == [{"_id": "", "text": "a"}]
        assert await client.query("notes:list") == [{"_id": "", "text": "a"}]
        assert not adding.done()
        real = await anext(notes)
        assert texts(real) == ["a"]
        assert real[0]["_id"] == await adding


async def test_a_mutation_that_fails_takes_it_back(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    async with client.subscribe("notes:list") as notes:
        assert await anext(notes) == []
        deployment.faults.delay = 0.1
        adding = asyncio.ensure_future(client.mutation("notes:add", {"text": ""}, optimistic=add))
        assert texts(await anext(notes)) == [""]
        assert await anext(notes) == []
        with pytest.raises(ConvexError):
            await adding


async def test_it_outlives_a_lost_socket(client: ConvexClient, deployment: LocalDeployment) -> None:
    async with client.subscribe("notes:list") as notes:
        await notes.get()
        deployment.faults.drop()
        async for state in client.states():
            if state.phase == "disconnected":
                break
        adding = asyncio.ensure_future(client.mutation("notes:add", {"text": "a"}, optimistic=add))
        assert texts(await notes.until(len, timeout=1)) == ["a"]
        assert not adding.done()  # nothing was sent yet
        await adding
        assert texts(await notes.get()) == ["a"]


async def test_changes_tell_of_it_too(client: ConvexClient) -> None:
    async with client.subscribe("notes:list") as notes:
        changes = notes.changes()
        assert (await anext(changes)).inserted == []
        adding = asyncio.ensure_future(client.mutation("notes:add", {"text": "a"}, optimistic=add))
        assert texts((await anext(changes)).inserted) == ["a"]
        await adding
        assert list((await anext(changes)).deleted) == [""]


async def test_a_call_that_times_out_takes_it_back(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    async with client.subscribe("notes:list") as notes:
        await notes.get()
        deployment.faults.delay = 5
        adding = client.mutation("notes:add", {"text": "a"}, optimistic=add, timeout=0.1)
        with pytest.raises(RequestTimeoutError):
            await adding
        assert await notes.get() == []


async def test_all_queries_of_a_function_can_be_changed(
    client: ConvexClient, deployment: LocalDeployment
) -> None:
    def count(store: OptimisticLocalStore, args: dict[str, Any]) -> None:
        for of, value in store.get_all_queries("notes:count"):
            if value is not None and of["tag"] == args["text"]:
                store.set_query("notes:count", of, value + 1)

    a, b = (client.subscribe("notes:count", {"tag": tag}) for tag in "ab")
    await asyncio.gather(a.get(), b.get())
    deployment.faults.delay = 0.2
    adding = asyncio.ensure_future(client.mutation("notes:add", {"text": "a"}, optimistic=count))
    assert await a.until(bool, timeout=1) == 1
    assert not adding.done()
    assert await b.get() == 0
    await adding
    assert await a.get() == 1
    a.close()
    b.close()


async def test_an_error_of_its_own_is_raised_and_nothing_is_sent(
    client: ConvexClient, frames: list[object]
) -> None:
    await client.connect()
    frames.clear()

    def unserialisable(store: OptimisticLocalStore, args: dict[str, Any]) -> None:
        store.set_query("notes:list", None, [object()])

    with pytest.raises(CodecError, match=r"value\[0\]"):
        await client.mutation("notes:add", {"text": "a"}, optimistic=unserialisable)

    async def coroutine(store: OptimisticLocalStore, args: dict[str, Any]) -> None: ...

    for wrong in (coroutine, "notes:list"):
        with pytest.raises(TypeError, match="plain function"):
            await client.mutation("notes:add", {"text": "a"}, optimistic=wrong)  # type: ignore[arg-type]
    assert client.state.pending_requests == 0
    assert frames == []


async def test_the_store_is_of_use_during_a_run_only(client: ConvexClient) -> None:
    kept: list[OptimisticLocalStore] = []
    await client.mutation("notes:add", {"text": "a"}, optimistic=lambda s, _: kept.append(s))
    with pytest.raises(LocalProtocolError, match="during its run"):
        kept[0].get_query("notes:list")


async def test_an_error_in_a_later_run_is_logged(
    client: ConvexClient, deployment: LocalDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    def at_first(store: OptimisticLocalStore, args: dict[str, Any]) -> None:
        if store.get_query("notes:list"):
            raise RuntimeError("somebody was faster")
        add(store, args)

    async with client.subscribe("notes:list") as notes:
        await notes.get()
        deployment.faults.delay = 0.2
        adding = asyncio.ensure_future(
            client.mutation("notes:add", {"text": "a"}, optimistic=at_first)
        )
        await notes.until(len)
        with caplog.at_level(logging.ERROR):
            await deployment.run("notes:add", {"text": "b"})
            await notes.until(lambda found: texts(found) == ["b"] or len(found) > 1)
            await adding
        assert sorted(texts(await notes.get())) == ["a", "b"]
    assert "an optimistic update of notes:add failed" in caplog.text
    assert "somebody was faster" in caplog.text
