"""What is larger than the deployment's socket takes: it fails alone, and holds up nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from convex_async import ConvexClient, MessageTooLargeError
from convex_async.local import LocalDeployment
from convex_async.protocol.client import outgoing

BIG = {"value": "x" * (17 * 2**20)}
# What is taken: 12 MB of bytes are 16 MB in base64.
FITS = {"value": b"x" * 12_000_000}


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client believes that the deployment takes more than it does."""
    monkeypatch.setattr(outgoing, "MAX_FRAME", 2**30)
    monkeypatch.setattr("convex_async.protocol.client.backoff.DEFAULT_INITIAL", 0.01)


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
async def test_a_call_that_no_socket_takes_raises(client: ConvexClient, kind: str) -> None:
    with pytest.raises(MessageTooLargeError, match=r"17\.0 MiB on the wire") as caught:
        await getattr(client, kind)("notes:echo", BIG)
    assert caught.value.outcome == "not_sent"
    assert not caught.value.retryable
    await client.mutation("notes:touch")
    assert client.state.connection_count == 1
    assert client.state.pending_requests == 0


async def test_a_subscription_that_no_socket_takes_raises(client: ConvexClient) -> None:
    with pytest.raises(MessageTooLargeError):
        client.subscribe("notes:list", BIG)
    assert client._driver.subscribers == 0


async def test_what_just_fits_is_taken(client: ConvexClient) -> None:
    assert await client.action("notes:echo", FITS) == FITS["value"]
    assert client.state.connection_count == 1


@pytest.mark.usefixtures("unchecked")
async def test_what_is_refused_twice_fails_alone(client: ConvexClient) -> None:
    await client.connect()
    small = [asyncio.create_task(client.mutation("notes:add", {"text": "1"})) for _ in range(3)]
    big = asyncio.create_task(client.mutation("notes:add", {"text": BIG["value"]}))
    more = [asyncio.create_task(client.mutation("notes:add", {"text": "2"})) for _ in range(3)]
    async with asyncio.timeout(20):
        with pytest.raises(MessageTooLargeError, match="closed twice") as caught:
            await big
        await asyncio.gather(*small, *more)
    assert caught.value.outcome == "unknown"
    assert [n["text"] for n in await client.query("notes:list")] == ["1"] * 3 + ["2"] * 3
    assert client.state.connection_count <= 4


async def test_an_outbox_keeps_what_is_too_large_among_what_failed(
    deployment: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = tmp_path / "box"
    async with ConvexClient(deployment.url, outbox=box, close_timeout=0) as client:
        with monkeypatch.context() as patch:
            patch.setattr(outgoing, "MAX_FRAME", 2**30)
            await client.connect()
            calls = [
                asyncio.create_task(client.mutation("notes:add", {"text": text}))
                for text in (BIG["value"], "small")
            ]
            while len(client.outbox.pending) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await asyncio.gather(*calls, return_exceptions=True)
    async with ConvexClient(deployment.url, outbox=box, close_timeout=0) as client:
        await client.mutation("notes:add", {"text": "new"}, timeout=10)
        await client.outbox.drained()
        assert client.outbox.pending == []
        (entry,) = client.outbox.failed
        assert "17.0 MiB on the wire" in str(entry.failure)
        texts = [n["text"] for n in await client.query("notes:list")]
    assert sorted(texts) == ["new", "small"]


@pytest.mark.usefixtures("unchecked")
async def test_an_outbox_keeps_what_was_refused_twice_among_what_failed(
    deployment: LocalDeployment, tmp_path: Path
) -> None:
    box = tmp_path / "box"
    async with ConvexClient(deployment.url, outbox=box, close_timeout=0) as client:
        await client.connect()
        call = asyncio.create_task(client.mutation("notes:add", {"text": BIG["value"]}))
        while not client.outbox.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.gather(call, return_exceptions=True)
    async with ConvexClient(deployment.url, outbox=box, close_timeout=0) as client:
        async with asyncio.timeout(20):
            await client.outbox.drained()
        (entry,) = client.outbox.failed
        assert "too large: closed with code 1009" in str(entry.failure)
