"""The official clients, unchanged, against the local deployment; ours sees what they do."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions
from tests.interop.official import npm, pypi, started

VALUES = ("null", "bool", "text", "list", "object", "int64", "bytes", "zero", "nan")

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]  # for a first `npm ci`


async def check(command: list[str], name: str) -> None:
    """An official client adds a note and sees ours; then its two kinds make all their calls."""
    told: defaultdict[str, list[Any]] = defaultdict(list)
    async with (
        LocalDeployment(make_functions()) as deployment,
        ConvexClient(deployment.url) as client,
        client.subscribe("notes:list") as notes,
        started(command, deployment.url) as program,
    ):
        async for what, value in program.events():
            told[what].append(value)
            if what == "ready":
                seen = await notes.until(lambda notes: len(notes) == 1, timeout=10)
                assert seen[0]["text"] == name
                await client.mutation("notes:add", {"text": "from here"})
        await program.succeeded()
    assert told["update"][-1] == [name, "from here"]
    assert told["same"] == [dict.fromkeys(VALUES, True)] * 2
    assert told["error"] == [{"code": "EMPTY"}] * 2
    assert told["mutation"] == [None] * 2
    assert told["query"] == [2] * 2


async def test_pypi_clients() -> None:
    await check(pypi("pypi_smoke.py"), "from PyPI")


@pytest.mark.usefixtures("node_modules")
async def test_npm_clients() -> None:
    await check(npm("smoke.cjs"), "from npm")


@pytest.mark.usefixtures("node_modules")
async def test_all_clients_see_the_same_states() -> None:
    async with (
        LocalDeployment(make_functions()) as deployment,
        ConvexClient(deployment.url) as client,
        client.subscribe("notes:list") as ours,
        started(pypi("pypi_peer.py"), deployment.url) as python,
        started(npm("peer.cjs"), deployment.url) as javascript,
    ):
        events = [python.events(), javascript.events()]
        expected: list[str] = []
        for writer in ("python", "javascript", "ours", "python", "javascript"):
            # Nobody writes before all have told, so that no client may skip a state.
            states = [[note["text"] for note in await anext(ours)]]
            states += [(await anext(told))[1] for told in events]
            assert states == [expected] * 3
            expected = [*expected, f"{writer}-{len(expected)}"]
            await python.order(f"write {expected[-1]}" if writer == "python" else "wait")
            if writer == "javascript":
                await javascript.order(f"write {expected[-1]}")
            elif writer == "ours":
                await client.mutation("notes:add", {"text": expected[-1]})
        for told in events:
            assert (await anext(told))[1] == expected
        for program in (python, javascript):
            await program.order("stop")
            await program.succeeded()
