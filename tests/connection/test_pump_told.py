"""What callers and the log are told of sockets: those that open, and those that can't be."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from aiohttp import web

from convex_async import ConvexClient, RequestTimeoutError
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions


@pytest.fixture
def nobody() -> str:
    """The URL of a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convex_async.protocol.client.backoff.DEFAULT_INITIAL", 0.01)


def levels(caplog: pytest.LogCaptureFixture) -> set[int]:
    return {record.levelno for record in caplog.records if record.name == "convex_async"}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_timeout_tells_why_there_is_no_connection(nobody: str) -> None:
    async with ConvexClient(nobody, timeout=0.3) as client:
        notes = client.subscribe("notes:list")
        for call in (
            client.query("notes:list"),
            client.mutation("notes:touch"),
            notes.get(timeout=0.3),
            notes.until(bool, timeout=0.3),
        ):
            with pytest.raises(RequestTimeoutError) as caught:
                await call
            assert "notes:" in str(caught.value)
            assert "failed tries: no connection to ws://" in str(caught.value)
            assert caught.value.outcome == "not_sent"


async def test_a_server_that_is_no_deployment_is_told() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with ConvexClient(f"http://{host}:{port}", timeout=0.2) as client:
            with pytest.raises(RequestTimeoutError, match="HTTP status 404"):
                await client.query("notes:list")
    finally:
        await runner.cleanup()


async def test_a_slow_function_is_no_trouble_with_the_connection(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.delay = 30
    with pytest.raises(RequestTimeoutError) as caught:
        await client.mutation("notes:touch", timeout=0.1)
    assert "connect" not in str(caught.value)
    notes = client.subscribe("notes:list")
    with pytest.raises(RequestTimeoutError, match=r"no value within 0\.1 s$"):
        await notes.get(timeout=0.1)


async def test_until_tells_that_no_value_fits(client: ConvexClient) -> None:
    with pytest.raises(RequestTimeoutError, match=r"no value that fits within 0\.2 s"):
        await client.subscribe("notes:list").until(bool, timeout=0.2)


async def test_a_warning_tells_what_fails_and_when_the_next_try_is(
    nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ConvexClient(nobody, timeout=5) as client:
        client.subscribe("notes:list")
        async for state in client.states():
            if state.retries > 6:
                break
    told = warnings(caplog)
    assert len(told) == 2, told  # after 3 tries, and after 6
    assert nobody.replace("http", "ws") in told[0]
    assert "after 3 tries: no connection to" in told[0]
    assert "the next try is in 0." in told[0]


async def test_the_end_of_trouble_is_told_to_who_was_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "convex_async")
    async with LocalDeployment(make_functions()) as deployment:
        port = int(deployment.url.rpartition(":")[2])
        client = ConvexClient(deployment.url, timeout=5)
        await client.connect()
    async for state in client.states():
        if state.retries > 3:
            break
    async with LocalDeployment(make_functions(), port=port):
        await client.query("notes:list")
        await client.close()
    assert any(record.message.startswith("connected again") for record in caplog.records)


async def test_all_is_quiet_when_all_is_well(
    deployment: LocalDeployment, client: ConvexClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "convex_async")
    await client.mutation("notes:touch")
    deployment.faults.drop()
    assert await client.query("notes:list") == []
    assert levels(caplog) == {logging.DEBUG}
    text = caplog.text
    for part in ("connecting to ws://", "connected to ws://", "connected again to ws://"):
        assert part in text
    assert "mutation notes:touch: succeeded, 0." in text
    assert "disconnected from ws://" in text
    assert "the next try is in" in text


async def test_fetches_of_tokens_are_told(
    deployment: LocalDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "convex_async")
    token = deployment.issue_token("ada")

    async def fetch(*, force_refresh: bool) -> str:
        await asyncio.sleep(0)
        return token

    async with ConvexClient(deployment.url, auth=fetch) as client:
        assert await client.query("users:me") == "ada"
    assert "the token fetcher took 0." in caplog.text
    assert token not in caplog.text


@pytest.mark.trap(21)
async def test_a_normal_close_is_no_goodbye(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """A deployment that restarts closes with 1000: only the user or a FatalError ends a client."""
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    assert deployment.faults.close(1000, "") == 1
    await client.mutation("notes:add", {"text": "after"})
    assert len(await anext(notes)) == 1
    assert client.state.connection_count == 2
