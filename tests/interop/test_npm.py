"""What npm's clients can do beyond the others: fresh tokens, optimism, live pages, parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from convex_async.local import LocalDeployment
from convex_async.local.server.faulty_wire import CHUNK_SIZE, FaultyWire
from convex_async.protocol.messages import ServerMessage, Transition, TransitionChunk
from tests.interop.backend import make_functions
from tests.interop.official import Failed, Peer, npm, started

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(400),  # for a first `npm ci`
    pytest.mark.usefixtures("node_modules"),
]


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture(params=["simple", "base"])
async def peer(request: pytest.FixtureRequest, deployment: LocalDeployment) -> AsyncIterator[Peer]:
    async with started(npm(request.param), deployment) as peer:
        yield peer


async def test_a_token_is_refreshed_before_it_ends(deployment: LocalDeployment, peer: Peer) -> None:
    def token(_: bool) -> str:
        # The client asks for the next one 10 s before the end.
        return deployment.issue_token("ada", lifetime=11, n=len(peer.forced))

    peer.tokens = token
    await peer("auth")
    await peer("subscribe", "users:me", args={})
    while await peer.next() != "ada":
        pass
    await peer.asked(3)
    assert peer.forced[:3] == [False, True, True]
    assert await peer.query("users:me", {"attempt": 1}) == "ada"
    assert deployment.faults.connections == 1


async def test_a_refused_token_is_asked_for_again(deployment: LocalDeployment, peer: Peer) -> None:
    peer.tokens = lambda force: deployment.issue_token("ada") if force else "not.a.token"
    await peer("auth")
    assert await peer.query("users:me") == "ada"
    assert peer.forced[:2] == [False, True]


@pytest.mark.parametrize("is_first", [False, True], ids=["response", "transition"])
async def test_an_optimistic_update_gives_way_to_the_real_one(
    deployment: LocalDeployment, peer: Peer, is_first: bool
) -> None:
    await peer("subscribe", "log:read", args={})
    assert await peer.next() == []
    deployment.faults.transition_first = is_first
    assert await peer("optimistic", "log:append", args={"line": "one"}) == 1
    assert await peer.next() == ["one?"]
    states = [await peer.next()]
    while states[-1] != ["one"]:
        states.append(await peer.next())
    # Before the response it can't know that the transition shows its own mutation.
    assert states == ([["one", "one?"], ["one"]] if is_first else [["one"]])


async def test_an_optimistic_update_is_taken_back_if_its_mutation_fails(
    deployment: LocalDeployment, peer: Peer
) -> None:
    await deployment.run("log:append", {"line": "one"})
    await peer("subscribe", "log:read", args={})
    assert await peer.next() == ["one"]
    with pytest.raises(Failed) as caught:
        await peer("optimistic", "log:append", args={"line": ""})
    assert caught.value.data == {"code": "EMPTY", "at": 1.5}
    assert [await peer.next(), await peer.next()] == [["one", "?"], ["one"]]


async def test_a_mutation_whose_answer_is_lost_is_applied_once(
    deployment: LocalDeployment, peer: Peer
) -> None:
    deployment.faults.drop_after_commit = 1
    assert await peer.mutation("log:append", {"line": "once"}) == 1
    assert await deployment.run("log:read") == ["once"]


async def test_a_long_transition_comes_in_parts(
    deployment: LocalDeployment, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    parts = FaultyWire._parts

    def record(self: FaultyWire, message: ServerMessage) -> list[bytes]:
        frames = parts(self, message)
        if isinstance(message, Transition):
            sizes.append(len(frames))
            kinds = {json.loads(frame)["type"] for frame in frames}
            assert kinds == {(TransitionChunk if len(frames) > 1 else Transition).__name__}
        return frames

    monkeypatch.setattr(FaultyWire, "_parts", record)
    await deployment.run("items:fill", {"count": 13.0, "size": 900_000.0})
    await peer("subscribe", "items:list", args={})
    items = await peer.next()
    assert [len(item["text"]) for item in items] == [900_000] * 13
    assert max(sizes) == 13 * 900_000 // CHUNK_SIZE + 1
    assert deployment.faults.connections == 1


async def test_pages_that_live(deployment: LocalDeployment) -> None:
    async with started(npm("simple"), deployment) as peer:
        await deployment.run("items:fill", {"count": 5.0, "size": 1.0})
        await peer("paginate", "items:page", args={}, count=2)

        async def until(status: str, count: int) -> list[Any]:
            while True:
                state = await peer.next()
                if state["status"] == status and len(state["results"]) == count:
                    return [item["number"] for item in state["results"]]

        assert await until("CanLoadMore", 2) == [0, 1]
        assert await peer("more", count=2) is True
        assert await until("CanLoadMore", 4) == [0, 1, 2, 3]
        assert await peer("more", count=10) is True
        assert await until("Exhausted", 5) == [0, 1, 2, 3, 4]
        # The last page goes on to the end of the table; it is split when it becomes too long.
        await deployment.run("items:fill", {"count": 6.0, "size": 1.0})
        assert await until("Exhausted", 11) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5]
        deployment.faults.drop()
        await deployment.run("items:fill", {"count": 1.0, "size": 1.0})
        assert (await until("Exhausted", 12))[-1] == 0


async def test_pages_that_grow_and_shrink_within(deployment: LocalDeployment) -> None:
    """What comes and goes between the cursors of a page is in that page, once."""
    async with started(npm("simple"), deployment) as peer:
        numbers = [10.0, 20.0, 30.0, 40.0, 50.0]
        for number in numbers:
            await deployment.run("items:put", {"number": number})
        await peer("paginate", "items:ranked", args={}, count=2)

        async def until(status: str, expected: list[float]) -> None:
            seen: list[float] | None = None
            while seen != expected:
                state = await peer.next()
                seen = [item["number"] for item in state["results"]]
                # Pages that overlapped would show one twice, and be out of order.
                assert seen == sorted(set(seen))
            assert state["status"] == status

        await until("CanLoadMore", numbers[:2])
        assert await peer("more", count=2) is True
        await until("CanLoadMore", numbers[:4])
        for number, seen in (
            (15.0, [10.0, 15.0, 20.0, 30.0, 40.0]),
            (25.0, [10.0, 15.0, 20.0, 25.0, 30.0, 40.0]),
            (5.0, [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0]),
        ):
            await deployment.run("items:put", {"number": number})
            await until("CanLoadMore", seen)
        for number, seen in (
            (20.0, [5.0, 10.0, 15.0, 25.0, 30.0, 40.0]),  # the first page ended with it
            (40.0, [5.0, 10.0, 15.0, 25.0, 30.0]),
            (10.0, [5.0, 15.0, 25.0, 30.0]),
        ):
            await deployment.run("items:drop", {"number": number})
            await until("CanLoadMore", seen)
        assert await peer("more", count=5) is True
        await until("Exhausted", [5.0, 15.0, 25.0, 30.0, 50.0])


async def test_a_consistent_query_over_http(deployment: LocalDeployment) -> None:
    async with started(npm("http"), deployment) as peer:
        await deployment.run("log:append", {"line": "one"})
        assert await peer("consistentQuery", "log:read", args={}) == ["one"]
        await deployment.run("log:append", {"line": "two"})
        # All its consistent queries are of the moment of the first.
        assert await peer("consistentQuery", "log:read", args={}) == ["one"]
        assert await peer.query("log:read") == ["one", "two"]
