"""Whatever the network does, at whichever byte: nothing lost, nothing twice, nothing hangs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from convex_async import ConvexClient, TransportError
from convex_async.local import LocalDeployment
from tests.faults.proxy import Direction, Fault, FaultProxy, Kind
from tests.integration.backend import make_functions
from tests.soak import SOAK

KINDS: tuple[Kind, ...] = ("cut", "reset", "stall", "swallow", "trickle")
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
# In the upgrade's head, in the hello, in the first mutations, and later.
OFFSETS = (1, 150, 400, 700, 1500)
SCHEDULES = 6 * SOAK


@pytest.fixture
async def proxy() -> AsyncIterator[tuple[LocalDeployment, FaultProxy]]:
    async with (
        LocalDeployment(make_functions()) as deployment,
        FaultProxy(int(deployment.url.rpartition(":")[2])) as proxy,
    ):
        yield deployment, proxy


@asynccontextmanager
async def impatient(url: str) -> AsyncIterator[ConvexClient]:
    """A client that notices silence soon, and does not wait for its backoff."""

    async def hurry(client: ConvexClient) -> None:
        async for state in client.states():
            if state.phase == "disconnected":
                with suppress(TransportError):
                    await client.connect()

    async with ConvexClient(url, timeout=20, inactivity_timeout=0.2, close_timeout=1) as client:
        hurrying = asyncio.create_task(hurry(client))
        yield client
        hurrying.cancel()
        await asyncio.wait([hurrying])


async def check(deployment: LocalDeployment, client: ConvexClient, count: int) -> None:
    """So many mutations, called in order, each apply once, in that order, and are seen."""
    notes = client.subscribe("notes:list")
    seen: list[int] = []

    async def watch() -> None:
        async for value in notes:
            seen.append(len(value))
            if len(value) == count:
                return

    watching = asyncio.create_task(watch())
    names = [str(number) for number in range(count)]
    await asyncio.gather(*(client.mutation("notes:add", {"text": name}) for name in names))
    assert [note["text"] for note in await notes.get()] == names
    await asyncio.wait_for(watching, 5)
    assert seen == sorted(set(seen))  # never back, never again
    assert [note["text"] for note in await deployment.run("notes:list")] == names
    assert client.state.pending_requests == 0


@pytest.mark.parametrize("after", OFFSETS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_at_a_byte(
    proxy: tuple[LocalDeployment, FaultProxy], kind: Kind, direction: Direction, after: int
) -> None:
    deployment, faulty = proxy
    faulty.plan.append(Fault(kind, direction, after))
    async with impatient(faulty.url) as client:
        await check(deployment, client, 20)
        assert faulty.faults_met == 1
        # On a busy machine a sound socket may be silent for too long as well.
        assert 0 <= faulty.connections - (1 if kind == "trickle" else 2) <= 2


async def test_a_connection_that_ends_too_soon_leaves_its_fault_to_the_next(
    proxy: tuple[LocalDeployment, FaultProxy],
) -> None:
    _, faulty = proxy
    fault = Fault("cut", "down", 1)
    faulty.plan.append(fault)
    port = int(faulty.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await asyncio.wait_for(faulty.ended.wait(), 5)
    assert list(faulty.plan) == [fault]
    async with impatient(faulty.url) as client:
        assert await client.query("notes:list") == []
    assert faulty.faults_met == 1


@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_a_schedule_of_faults(proxy: tuple[LocalDeployment, FaultProxy], seed: int) -> None:
    """`pytest tests/faults -k "schedule and 17"` runs the schedule of seed 17 again."""
    deployment, faulty = proxy
    rng = random.Random(seed)
    faulty.plan.extend(
        Fault(rng.choice(KINDS), rng.choice(DIRECTIONS), int(10 ** rng.uniform(0, 4)))
        for _ in range(rng.randint(2, 6))
    )
    async with impatient(faulty.url) as client:
        await check(deployment, client, rng.randint(1, 60))
