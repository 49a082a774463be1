"""Functions that hang or end their process take no other along."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import LocalDeployment
from convex_async.local.typescript.host import Host
from convex_async.local.typescript.runtime import TypeScriptFunctions

TIMED_OUT = r"Function execution timed out \(maximum duration: 1s\)"


@pytest.fixture
def host(deployment: LocalDeployment) -> Host:
    """What supervises the deployment's processes."""
    runtimes = deployment._running().runtimes.all
    return next(r.host for r in runtimes if isinstance(r, TypeScriptFunctions))


async def test_a_loop_is_ended_and_others_are_answered_meanwhile(client: ConvexClient) -> None:
    looping = asyncio.create_task(client.query("trouble:loop"))
    await asyncio.sleep(0)
    while not looping.done():
        assert await client.query("trouble:count") == 1
        await asyncio.sleep(0.05)
    with pytest.raises(FunctionError, match=TIMED_OUT):
        await looping


async def test_a_loop_in_a_mutation_writes_nothing(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match=TIMED_OUT):
        await client.mutation("trouble:loopInMutation")
    assert await client.query("tasks:list") == []


async def test_who_computes_too_long_in_pieces_is_ended_too(client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match=TIMED_OUT):
        await client.query("trouble:slow")


async def test_loops_and_actions_together(deployment: LocalDeployment) -> None:
    """Which one hangs can't be told: no query fails for another."""
    async with ConvexClient(deployment.url, timeout=50) as client:
        await loop_beside_an_action(client)


async def loop_beside_an_action(client: ConvexClient) -> None:
    waiting = asyncio.create_task(client.action("trouble:wait", {"ms": 300}))
    loops = [asyncio.create_task(client.query("trouble:loop", {"name": n})) for n in "ab"]
    found = [await client.query("tasks:list") for _ in range(3)]
    assert found == [[], [], []]
    for loop in loops:
        with pytest.raises(FunctionError, match=TIMED_OUT):
            await loop
    outcome: object = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert outcome == "waited" or "Transient error while executing action" in str(outcome)


async def test_process_exit_ends_the_action_alone(client: ConvexClient, host: Host) -> None:
    before = host.processes
    waiting = asyncio.create_task(client.action("trouble:wait", {"ms": 200}))
    with pytest.raises(FunctionError, match=r"process\.exit is not allowed"):
        await client.action("node:exit")
    assert await waiting == "waited"
    assert host.processes == before


async def test_a_killed_process_is_replaced_and_its_runs_are_tried_again(
    client: ConvexClient, host: Host
) -> None:
    sends = [
        asyncio.create_task(client.mutation("counters:increment", {"name": "n"})) for _ in range(60)
    ]
    for sent in sends[9:40:10]:
        await sent
        for process in host.processes:
            os.kill(process, signal.SIGKILL)
    await asyncio.gather(*sends)
    assert await client.query("counters:get", {"name": "n"}) == 60


async def test_an_action_whose_process_is_killed_fails(client: ConvexClient, host: Host) -> None:
    waiting = asyncio.create_task(client.action("trouble:wait", {"ms": 20_000}))
    await client.query("trouble:count")
    for process in host.processes:
        os.kill(process, signal.SIGKILL)
    with pytest.raises(FunctionError, match="Transient error while executing action"):
        await waiting
    assert await client.query("trouble:count") == 1


async def test_live_queries_go_on_after_a_kill(client: ConvexClient, host: Host) -> None:
    async with client.subscribe("tasks:list") as live:
        updates = aiter(live)
        assert await anext(updates) == []
        for process in host.processes:
            os.kill(process, signal.SIGKILL)
        await client.mutation("tasks:create", {"text": "after"})
        assert [task["text"] for task in await anext(updates)] == ["after"]


@pytest.mark.timeout(120)
async def test_who_takes_all_memory_is_ended_alone(client: ConvexClient) -> None:
    hoarding = asyncio.create_task(client.query("trouble:hoard"))
    with pytest.raises(FunctionError, match=r"timed out|out of memory"):
        await hoarding
    assert await client.query("trouble:count") == 1


async def test_no_process_is_left(app: object) -> None:
    deployment = LocalDeployment.from_folder(str(app))
    await deployment.start()
    host = next(
        r.host for r in deployment._running().runtimes.all if isinstance(r, TypeScriptFunctions)
    )
    (process,) = host.processes
    began = time.monotonic()
    await deployment.close()
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
