"""Every fault switch, as an application's own test would use it, with this package's client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from convex_async import AuthError, ConvexClient, RemoteProtocolError
from convex_async.errors import TransportError
from convex_async.local import LocalDeployment
from convex_async.local.server.faults import Faults
from convex_async.local.server.faulty_wire import FaultyWire
from convex_async.protocol.messages import ServerMessage, TransitionChunk
from tests.integration.backend import make_functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10, close_timeout=0.2) as client:
        await client.connect()
        yield client


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of messages that the deployment wrote, in order."""
    kinds: list[str] = []
    parts = FaultyWire._parts

    def record(self: FaultyWire, message: ServerMessage) -> list[bytes]:
        frames = parts(self, message)
        kind = type(message).__name__
        if len(frames) > 1:
            kind = TransitionChunk.__name__
        kinds.extend([kind] * len(frames))
        return frames

    monkeypatch.setattr(FaultyWire, "_parts", record)
    return kinds


async def texts(client: ConvexClient) -> list[str]:
    return [note["text"] for note in await client.query("notes:list")]


async def test_drop(deployment: LocalDeployment, client: ConvexClient) -> None:
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    assert deployment.faults.connections == 1
    assert deployment.faults.drop() == 1
    await deployment.run("notes:add", {"text": "meanwhile"})
    assert [note["text"] for note in await anext(notes)] == ["meanwhile"]
    assert client.state.last_close_reason == "closed with code 1006"


async def test_half_open(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url, inactivity_timeout=0.2, close_timeout=0) as client:
        await client.connect()
        assert deployment.faults.half_open() == 1
        await client.mutation("notes:add", {"text": "1"})
        assert client.state.connection_count == 2


async def test_silence(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url, inactivity_timeout=0.2, close_timeout=0) as client:
        await client.connect()
        deployment.faults.silent = True
        adding = asyncio.create_task(client.mutation("notes:add", {"text": "1"}))
        async for state in client.states():
            if not state.is_connected:
                break
        deployment.faults.reset()
        await adding
        assert await texts(client) == ["1"]  # it was applied though nobody said so


async def test_delay(deployment: LocalDeployment, client: ConvexClient) -> None:
    deployment.faults.delay = 0.1
    began = time.monotonic()
    await client.action("notes:echo", {"value": 1})
    assert time.monotonic() - began >= 0.1
    with pytest.raises(TimeoutError):
        await client.mutation("notes:touch", timeout=0.05)


async def test_drop_after_commit(deployment: LocalDeployment, client: ConvexClient) -> None:
    deployment.faults.drop_after_commit = 1
    await client.mutation("notes:add", {"text": "once"})
    assert deployment.faults.drop_after_commit == 0
    assert client.state.connection_count == 2
    assert await texts(client) == ["once"]


async def test_duplicate_responses(
    deployment: LocalDeployment, client: ConvexClient, sent: list[str]
) -> None:
    deployment.faults.duplicate_responses = True
    assert await client.action("notes:echo", {"value": "a"}) == "a"
    await client.mutation("notes:add", {"text": "1"})
    await client.mutation("notes:add", {"text": "2"})
    assert sent.count("MutationResponse") == 4
    assert sent.count("ActionResponse") == 2
    assert await texts(client) == ["1", "2"]
    assert client.state.connection_count == 1


@pytest.mark.parametrize("is_first", [False, True])
async def test_transition_before_response(
    deployment: LocalDeployment, client: ConvexClient, sent: list[str], is_first: bool
) -> None:
    deployment.faults.transition_first = is_first
    async with client.subscribe("notes:list") as notes:
        await notes.get()
        sent.clear()
        for number in range(3):
            await client.mutation("notes:add", {"text": str(number)})
            assert len(await notes.get()) == number + 1
    kinds = iter(sent)
    for _ in range(3):  # a transition follows each response in any case
        assert next(kinds) == ("Transition" if is_first else "MutationResponse")
        while is_first and (kind := next(kinds)) != "MutationResponse":
            assert kind == "Transition"
        assert is_first or next(kinds) == "Transition"
    assert client.state.connection_count == 1


async def test_refused_auth(deployment: LocalDeployment, client: ConvexClient) -> None:
    deployment.faults.refuse_auth = True
    client.set_auth(deployment.issue_token("ada"))
    with pytest.raises(AuthError, match="fault switch"):
        await client.query("users:me")
    deployment.faults.refuse_auth = False
    client.set_auth(deployment.issue_token("ada"))
    assert await client.query("users:me") == "ada"


async def test_expired_auth(deployment: LocalDeployment, client: ConvexClient) -> None:
    forced: list[bool] = []

    async def fetch(*, force_refresh: bool) -> str:
        forced.append(force_refresh)
        return deployment.issue_token("ada", n=len(forced))

    client.set_auth(fetch)
    me = client.subscribe("users:me")
    assert await anext(me) == "ada"
    asked, sockets = len(forced), client.state.connection_count
    assert deployment.faults.expire_auth() == 1
    async for state in client.states():
        if state.is_connected and state.connection_count == sockets + 1:
            break
    assert await client.query("users:me") == "ada"
    assert forced[asked:] == [True]


async def test_expired_auth_of_nobody_is_nothing(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    assert deployment.faults.expire_auth() == 1
    await client.mutation("notes:touch")
    assert client.state.connection_count == 1


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1013, "CommitterFullError", "CommitterFullError"),
        (1011, "InternalServerError", "InternalServerError"),
        (4040, "", "closed with code 4040"),
    ],
)
async def test_a_close_with_code_and_reason(
    deployment: LocalDeployment, client: ConvexClient, code: int, reason: str, told: str
) -> None:
    deployment.faults.close(code, reason)
    async for state in client.states():
        if not state.is_connected:
            break
    assert client.state.last_close_reason == told


async def test_a_version_mismatch(deployment: LocalDeployment, client: ConvexClient) -> None:
    deployment.faults.mismatch_version()
    await client.mutation("notes:add", {"text": "1"})
    assert client.state.last_close_reason == "StartVersionMismatch"
    assert await texts(client) == ["1"]


async def test_chunked_transitions(
    deployment: LocalDeployment, client: ConvexClient, sent: list[str]
) -> None:
    deployment.faults.chunk_size = 50
    async with client.subscribe("notes:list") as notes:
        await client.mutation("notes:add", {"text": "é🙂" * 100})
        assert (await notes.get())[0]["text"] == "é🙂" * 100
    assert sent.count("TransitionChunk") > 10
    assert "Transition" not in sent
    assert client.state.connection_count == 1


async def test_refused_upgrades(deployment: LocalDeployment) -> None:
    deployment.faults.refuse_upgrades = 503
    async with ConvexClient(deployment.url) as client:
        with pytest.raises(TransportError, match="503"):
            await client.connect()


async def test_a_fatal_error(deployment: LocalDeployment, client: ConvexClient) -> None:
    deployment.faults.fatal("enough")
    with pytest.raises(RemoteProtocolError, match="enough"):
        await client.query("notes:list")


async def test_reset_puts_all_off_but_keeps_the_sockets(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    faults = deployment.faults
    faults.delay, faults.silent, faults.chunk_size, faults.refuse_auth = 5.0, True, 3, True
    faults.reset()
    assert faults == Faults()
    assert faults.connections == 1
    await client.mutation("notes:touch", timeout=2)
