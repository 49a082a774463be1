"""Two hours of a network that drops, hangs and refuses, in the time of a clock that jumps."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from convex_async import ConnectionLostError, ConvexClient, RequestTimeoutError
from tests.faults.network import Network
from tests.faults.virtual_time import run_virtually
from tests.soak import SOAK

HOURS = 2
ROUNDS = 5 * SOAK
SENDERS = 5
WATCHERS = 8
# A counter that others write.
OTHERS = 3


class Day:
    """One client's users, and what they were told."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.network = Network(self.rng)
        self.client = ConvexClient("http://127.0.0.1:1", auth=self.network.fetch_token)
        self.is_over = False
        self.succeeded: Counter[int] = Counter()
        self.unknown: Counter[int] = Counter()
        self.lost_actions = 0
        self.shown = 0

    async def send(self, counter: int) -> None:
        """Mutations of a counter of one's own, some with little patience."""
        while not self.is_over:
            await asyncio.sleep(self.rng.expovariate(1 / 10))
            timeout = None if self.rng.random() < 0.7 else self.rng.uniform(0.1, 5)
            try:
                value = await self.client.mutation(
                    "counter:add", {"counter": counter}, timeout=timeout
                )
            except RequestTimeoutError as error:
                self.unknown[counter] += error.outcome == "unknown"
            else:
                self.succeeded[counter] += 1
                at_most = self.succeeded[counter] + self.unknown[counter]
                assert self.succeeded[counter] <= value <= at_most

    async def act(self) -> None:
        while not self.is_over:
            await asyncio.sleep(self.rng.expovariate(1 / 20))
            try:
                await self.client.action("counter:add", {"counter": 0})
            except ConnectionLostError:
                self.lost_actions += 1

    async def watch(self) -> None:
        """Subscribe, look on for a while, leave, and come again."""
        while not self.is_over:
            counter = self.rng.randrange(SENDERS + OTHERS)
            until = asyncio.get_running_loop().time() + self.rng.expovariate(1 / 300)
            async with self.client.subscribe("counter:get", {"counter": counter}) as counts:
                last = -1
                try:
                    async with asyncio.timeout_at(until):
                        async for count, user in counts:
                            assert count > last
                            assert user == "ada"  # never for a moment as nobody
                            last, self.shown = count, self.shown + 1
                except TimeoutError:
                    pass

    async def others_write(self) -> None:
        while not self.is_over:
            await asyncio.sleep(self.rng.expovariate(1 / 5))
            self.network.add(SENDERS + self.rng.randrange(OTHERS))

    async def pass_by(self) -> int:
        """Live through it; returns how often the network failed an open socket."""
        async with asyncio.TaskGroup() as group:
            for counter in range(SENDERS):
                group.create_task(self.send(counter))
            for _ in range(WATCHERS):
                group.create_task(self.watch())
            group.create_task(self.act())
            group.create_task(self.others_write())
            failures = await self.network.misbehave(HOURS * 3600)
            self.is_over = True
        return failures

    async def check(self) -> None:
        """All is quiet: both ends agree, and nothing is left behind."""
        counters = self.network.deployment.counters
        for counter in range(SENDERS):
            succeeded, unknown = self.succeeded[counter], self.unknown[counter]
            assert succeeded <= counters[counter] <= succeeded + unknown
        assert set(self.network.deployment.applied.values()) == {1}
        for counter in range(SENDERS + OTHERS):
            shown = await self.client.query("counter:get", {"counter": counter})
            assert shown == [counters[counter], "ada"]
        await self.client.mutation("counter:add", {"counter": 0})
        assert self.client.state.pending_requests == 0
        (socket,) = self.network.sockets
        assert socket.protocol._queries == {}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_two_hours_of_drops(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """`pytest tests/faults -k "two_hours and 3"` runs those of seed 3 again."""

    async def live() -> tuple[Day, int]:
        day = Day(seed)
        monkeypatch.setattr(
            "convex_async.connection.driver.WebSocketConnector",
            lambda *args, **options: day.network.connect,
        )
        monkeypatch.setattr("convex_async.connection.pump.random", day.rng)
        monkeypatch.setattr("convex_async.auth.tokens.random", day.rng)
        async with day.client:
            failures = await day.pass_by()
            await day.check()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return day, failures

    (day, failures), clock = run_virtually(live(), monkeypatch)
    assert clock.now > HOURS * 3600
    assert failures > 100
    # Enough came through, in spite of it, and no loss made the client spin.
    assert day.shown > 500
    assert sum(day.succeeded.values()) > 1000
    assert sum(day.unknown.values()) > 0
    assert day.lost_actions > 0
    assert day.network.tries_down < day.network.down / 5
    assert clock.turns < 100_000
