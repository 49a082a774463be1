"""Callers and the outbox that outlives them."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from pathlib import Path

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions


def sent_at(box: Path) -> list[float | None]:
    connection = sqlite3.connect(box)
    try:
        return [row[0] for row in connection.execute("SELECT sent_at FROM mutations")]
    finally:
        connection.close()


async def queued(client: ConvexClient) -> asyncio.Task[object]:
    """A mutation that is in the file."""
    call = asyncio.ensure_future(client.mutation("notes:touch"))
    while not client.outbox.pending:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return call


@pytest.mark.parametrize("connects", [False, True])
async def test_what_was_called_offline_may_be_sent_from_connecting_on(
    tmp_path: Path, connects: bool
) -> None:
    box = tmp_path / "box"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    client = ConvexClient(f"http://127.0.0.1:{port}", outbox=box, close_timeout=0)
    async with client:
        call = await queued(client)
        if connects:
            async with LocalDeployment(make_functions(), port=port) as deployment:
                deployment.faults.delay = 30
                await client.connect()
                await client.close(drain=False)
    await asyncio.gather(call, return_exceptions=True)
    (at,) = sent_at(box)
    assert (at is not None) == connects


async def test_closing_waits_for_nobody_of_an_earlier_process(
    deployment: LocalDeployment, tmp_path: Path
) -> None:
    box = tmp_path / "box"
    deployment.faults.delay = 30
    async with ConvexClient(deployment.url, outbox=box, close_timeout=0) as client:
        await client.connect()
        call = await queued(client)
    await asyncio.gather(call, return_exceptions=True)
    async with ConvexClient(deployment.url, outbox=box, close_timeout=5) as client:
        await client.connect()
        assert client.state.pending_requests == 1
        async with asyncio.timeout(3):
            await client.close()


@pytest.mark.trap(1)
async def test_a_mutation_sent_again_runs_once(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """The deployment knows a request by the session id and its own, on whichever socket."""
    await client.connect()
    deployment.faults.drop_after_commit = 1
    await client.mutation("notes:add", {"text": "once"})
    assert client.state.connection_count == 2
    assert len(await client.query("notes:list")) == 1
