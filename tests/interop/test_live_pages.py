"""Live pages beside npm's: the same writes, the same lists, and the very same page queries."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convex_async import ConvexClient, LivePages
from convex_async.codec import decode
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import Add, ClientMessage, ModifyQuerySet
from tests.interop.backend import make_functions
from tests.interop.official import Peer, npm, started

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(400),  # for a first `npm ci`
    pytest.mark.usefixtures("node_modules"),
]

STATUSES = {"CanLoadMore": "can_load_more", "Exhausted": "exhausted"}


def asked(frames: list[ClientMessage], path: str) -> list[tuple[Any, ...]]:
    """The pages that were asked for, in order: start, end, and how many."""
    options = [
        decode(bytes(change.args))[0]["paginationOpts"]
        for frame in frames
        if isinstance(frame, ModifyQuerySet)
        for change in frame.modifications
        if isinstance(change, Add) and change.udf_path == path
    ]
    return [(each["cursor"], each.get("endCursor"), each["numItems"]) for each in options]


class Both:
    """npm's client and this one, which follow the same query of the same data."""

    def __init__(self, deployment: LocalDeployment, peer: Peer, pages: LivePages[Any]) -> None:
        self.deployment = deployment
        self.peer = peer
        self.pages = pages

    async def show(self, expected: list[float]) -> None:
        """Wait until both show this and are settled."""
        seen: Any = None
        while (
            seen is None or seen["status"] not in STATUSES or numbers(seen["results"]) != expected
        ):
            seen = await self.peer.next()
        while not (self.pages.status in STATUSES.values() and await self._shows(expected)):
            await anext(self.pages)
        assert self.pages.status == STATUSES[seen["status"]]

    async def _shows(self, expected: list[float]) -> bool:
        return numbers(await self.pages.get()) == expected

    async def load_more(self, count: int) -> None:
        assert await self.peer("more", count=count) is self.pages.load_more(count)


def numbers(items: list[Any]) -> list[float]:
    return [item["number"] for item in items]


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_pages_as_npm(frames: list[ClientMessage], seed: int) -> None:
    draw = random.Random(seed)
    there = [float(number) for number in range(0, 200, 10)]
    async with (
        LocalDeployment(make_functions()) as deployment,
        started(npm("simple"), deployment) as peer,
        ConvexClient(deployment.url, timeout=10) as client,
    ):
        for number in there:
            await deployment.run("items:put", {"number": number})
        await peer("paginate", "items:ranked", args={}, count=3)
        both = Both(deployment, peer, client.paginate_live("items:beside", page_size=3))
        shown = 3
        await both.show(there[:shown])
        for turn in range(25):
            if turn % 5 == 4 and both.pages.status == "can_load_more":
                await both.load_more(3)
                shown = min(shown + 3, len(there))
            elif draw.random() < 0.75:
                # Above the first and below the last that is shown, so that the end stays known.
                new = draw.uniform(there[0], there[shown - 1])
                await deployment.run("items:put", {"number": new})
                there = sorted([*there, new])
                shown += 1
            else:
                gone = there.pop(draw.randrange(1, shown - 1))
                await deployment.run("items:drop", {"number": gone})
                shown -= 1
            await both.show(there[:shown])
    assert len(asked(frames, "items:beside")) > 5
    assert asked(frames, "items:beside") == asked(frames, "items:ranked")
