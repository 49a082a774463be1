"""How a client ends while calls wait: each caller has an error of its own, with its outcome."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from convex_async import (
    ClientClosedError,
    ConvexClient,
    ConvexClientError,
    InternalError,
    RemoteProtocolError,
)
from convex_async.local import LocalDeployment
from convex_async.protocol.client.requests import WINDOW


async def ended(calls: list[asyncio.Task[object]]) -> list[ConvexClientError]:
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ConvexClientError) for error in errors)
    return [error for error in errors if isinstance(error, ConvexClientError)]


def outcomes(errors: list[ConvexClientError]) -> list[str]:
    return [getattr(error, "outcome", "none") for error in errors]


async def under_way(
    deployment: LocalDeployment, client: ConvexClient, count: int
) -> list[asyncio.Task[object]]:
    """Calls of which the window lets the first ones out alone."""
    await client.connect()
    deployment.faults.delay = 30
    calls = [asyncio.ensure_future(client.mutation("notes:touch")) for _ in range(count)]
    await asyncio.sleep(0.2)
    return calls


async def test_a_fatal_error_tells_each_caller_its_outcome(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    calls = await under_way(deployment, client, WINDOW + 2)
    deployment.faults.fatal("no more")
    errors = await ended(calls)
    assert all(type(error) is RemoteProtocolError for error in errors)
    assert len(set(map(id, errors))) == WINDOW + 2
    assert outcomes(errors) == ["unknown"] * WINDOW + ["not_sent"] * 2
    assert outcomes([pickle.loads(pickle.dumps(errors[-1]))]) == ["not_sent"]
    with pytest.raises(RemoteProtocolError) as caught:
        await client.mutation("notes:touch")
    assert caught.value not in errors


async def test_closing_tells_each_caller_its_outcome(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    calls = await under_way(deployment, client, WINDOW + 1)
    await client.close(drain=False)
    errors = await ended(calls)
    assert all(type(error) is ClientClosedError for error in errors)
    assert len(set(map(id, errors))) == WINDOW + 1
    assert outcomes(errors) == ["unknown"] * WINDOW + ["not_sent"]


async def test_a_bug_of_ours_is_not_called_the_deployments(
    deployment: LocalDeployment,
    client: ConvexClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = await under_way(deployment, client, WINDOW + 1)
    notes = client.subscribe("notes:list")
    bug = ZeroDivisionError("a bug")

    def fail(*_: object, **__: object) -> None:
        raise bug

    monkeypatch.setattr(client._driver._core, "disconnected", fail)
    deployment.faults.drop()
    errors = await ended(calls)
    assert all(type(error) is InternalError for error in errors)
    assert all(error.__cause__ is bug for error in errors)
    assert len(set(map(id, errors))) == WINDOW + 1
    assert outcomes(errors) == ["unknown"] * WINDOW + ["not_sent"]
    with pytest.raises(InternalError, match="a bug"):
        await notes.get()
    assert client.state.phase == "stopped"
    assert "bug of its own" in caplog.text


async def call_all(client: ConvexClient) -> list[asyncio.Future[object]]:
    calls: list[asyncio.Future[object]] = [
        asyncio.ensure_future(client.query("notes:list")),
        asyncio.ensure_future(client.mutation("notes:touch")),
        asyncio.ensure_future(client.action("notes:echo", {"value": 1})),
        asyncio.ensure_future(anext(client.subscribe("notes:list"))),
    ]
    await client.connect()
    return calls


@pytest.mark.trap(40)
async def test_a_fatal_error_ends_every_call(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """After a FatalError nothing more comes: all that waits, and all that follows, raises."""
    deployment.faults.delay = 30
    calls = await call_all(client)
    deployment.faults.fatal("enough")
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RemoteProtocolError] * 4
    with pytest.raises(RemoteProtocolError, match="enough"):
        await client.query("notes:list")


@pytest.mark.trap(40)
async def test_closing_ends_every_call(deployment: LocalDeployment) -> None:
    """No caller hangs on a client that is closed."""
    deployment.faults.delay = 30
    client = ConvexClient(deployment.url, close_timeout=0)
    calls = await call_all(client)
    await client.close()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ClientClosedError] * 4
