"""Four clients, the official ones and ours, write at once and watch: all see one history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.interop.backend import make_functions
from tests.interop.official import npm, patiently, pypi, rust, started

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(900),  # for a first `npm ci` and `cargo build`
    pytest.mark.usefixtures("node_modules", "rust_peer"),
]

COUNT = 15
NAMES = ("npm", "PyPI", "Rust", "ours")


async def storm(client: ConvexClient, total: int) -> list[list[str]]:
    """What the peers do at the order of this name."""

    async def write() -> None:
        for number in range(COUNT):
            await client.mutation("log:append", {"line": f"ours-{number}"})

    seen: list[list[str]] = []
    async with client.subscribe("log:read") as states, asyncio.TaskGroup() as group:
        group.create_task(write())
        async for state in states:
            seen.append(state)
            if len(state) >= total:
                break
    return seen


def check(history: list[str], seen: dict[str, list[list[str]]]) -> None:
    """All wrote each line once and in order, and saw nothing but moments of one history."""
    assert len(history) == COUNT * len(seen)
    for name, states in seen.items():
        own = [line for line in history if line.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(COUNT)]
        lengths = [len(state) for state in states]
        # One may be skipped for a later one. On a new socket npm's client repeats itself.
        assert lengths == sorted(lengths if name == "npm" else set(lengths)), name
        assert all(state == history[: len(state)] for state in states), name
        assert states[-1] == history, name


async def run() -> None:
    total = COUNT * len(NAMES)
    async with (
        LocalDeployment(make_functions()) as deployment,
        ConvexClient(deployment.url) as client,
        started(npm("simple"), deployment) as javascript,
        started(pypi("socket"), deployment) as python,
        started(rust(), deployment) as rusty,
    ):
        peers = {"npm": javascript, "PyPI": python, "Rust": rusty}
        for peer in peers.values():
            await peer("subscribe", "log:read", args={})

        async def order(name: str) -> Any:
            return await peers[name]("storm", name=name, count=COUNT, total=total)

        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(order(name)) for name in peers}
            tasks["ours"] = group.create_task(storm(client, total))
        seen = {name: task.result() for name, task in tasks.items()}
        history = await deployment.run("log:read")

    check(history, seen)


async def test_four_clients_see_one_history() -> None:
    await patiently(pypi("socket"), run)


async def test_nothing_is_lost_or_applied_twice_over_lost_sockets() -> None:
    # Of the official clients, only npm's keeps its session: the others may apply a mutation twice.
    total = COUNT * 2
    async with (
        LocalDeployment(make_functions()) as deployment,
        ConvexClient(deployment.url) as client,
        ConvexClient(deployment.url) as watcher,
        started(npm("base"), deployment) as javascript,
    ):
        await javascript("subscribe", "log:read", args={})
        async with asyncio.TaskGroup() as group:
            order = javascript("storm", name="npm", count=COUNT, total=total)
            theirs, ours = group.create_task(order), group.create_task(storm(client, total))
            async for state in watcher.subscribe("log:read"):
                if len(state) > total // 3:
                    deployment.faults.drop()
                    deployment.faults.drop_after_commit = 1
                    break
        history = await deployment.run("log:read")
    check(history, {"npm": theirs.result(), "ours": ours.result()})
