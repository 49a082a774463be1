"""A deployment killed with SIGKILL under its clients, and started again on the same file."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest

from convex_async import ConvexClient
from tests.faults.killable import KillableDeployment
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.test_proxy import impatient
from tests.soak import SOAK

ROUNDS = 3 * SOAK
KILLS = 3
SENDERS = 20


async def send(client: ConvexClient, sender: int, stop: asyncio.Event) -> int:
    """One mutation after another until told to stop; how many returned."""
    count = 0
    while not stop.is_set():
        await client.mutation("notes:add", {"text": f"{sender} {count}"})
        count += 1
    return count


async def watch(client: ConvexClient, shown: list[list[str]], stop: asyncio.Event) -> None:
    notes = client.subscribe("notes:list")
    while not stop.is_set():
        shown.append([note["text"] for note in await anext(notes)])


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_a_deployment_killed_in_a_storm(
    tmp_path: Path, unused_tcp_port: int, seed: int
) -> None:
    """`pytest tests/faults -k "killed and 2"` runs the round of seed 2 again."""
    rng = random.Random(seed)
    stop = asyncio.Event()
    shown: list[list[str]] = []
    async with (
        KillableDeployment(tmp_path / "data.sqlite3", unused_tcp_port) as deployment,
        FaultProxy(deployment.port) as proxy,
        impatient(proxy.url) as client,
    ):
        # What was committed and never answered is what a deployment must not forget.
        lost_answers = Fault("swallow", "down", rng.randint(500, 5000))
        proxy.plan.extend([lost_answers] * 2 * KILLS)
        watching = asyncio.create_task(watch(client, shown, stop))
        sending = [asyncio.create_task(send(client, n, stop)) for n in range(SENDERS)]
        for _ in range(KILLS):
            await client.mutation("notes:touch")  # it is alive, and in the midst of the storm
            await asyncio.sleep(rng.uniform(0, 0.1))
            await deployment.kill()
            await deployment.start()
        stop.set()
        counts = await asyncio.gather(*sending)
        await client.mutation("notes:add", {"text": "the end"})
        await watching
        stored = [note["text"] for note in await client.query("notes:list")]
    assert client.state.connection_count > KILLS
    assert min(counts) > 0
    assert stored.pop() == "the end"
    # Nothing lost, nothing twice, each sender's in its order.
    for sender, count in enumerate(counts):
        mine = [text for text in stored if text.split()[0] == str(sender)]
        assert mine == [f"{sender} {n}" for n in range(count)]
    # Never back in time, never again, and never a state that is not of the one history.
    assert all(len(one) < len(two) for one, two in pairwise(shown))
    assert all(state == [*stored, "the end"][: len(state)] for state in shown)
