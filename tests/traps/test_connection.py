"""Sockets: when to open another, when one is dead, and how much comes through."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from convex_async import ConvexClient
from convex_async.deployment.url import DeploymentUrl
from convex_async.local import LocalDeployment
from convex_async.local.server.client_version import client_version
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Offline
from convex_async.protocol.client.events import CloseConnection
from convex_async.protocol.frames import FrameDecoder, encode_message
from convex_async.protocol.messages import Ping, TransitionChunk
from convex_async.version import CLIENT_HEADER
from tests.protocol.client.test_client_protocol import SEND, Session, retry_delay
from tests.protocol.wire import Server, succeeded, updated

PING_INTERVAL = 15.0


def test_trap_20_the_backoff_resets_only_when_all_is_settled(session: Session) -> None:
    """An open socket proves nothing, nor does a Ping: our own data may be what closes it."""
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    for delay in (1.0, 2.0, 4.0):
        session.connect()
        session.receive(Ping(), session.server.transition(updated(0, b"1"), ts=5, query_set=1))
        session.drop()
        assert retry_delay(session) == delay
    session.connect()
    session.receive(session.server.transition(updated(0, b"1"), ts=5, query_set=1))
    session.receive(succeeded(0, b"1", ts=5))
    session.drop()
    assert retry_delay(session) == 1.0


async def test_trap_21_a_normal_close_is_no_goodbye(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """A deployment that restarts closes with 1000: only the user or a FatalError ends a client."""
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    assert deployment.faults.close(1000, "") == 1
    await client.mutation("notes:add", {"text": "after"})
    assert len(await anext(notes)) == 1
    assert client.state.connection_count == 2


async def test_trap_34_large_messages_come_through(client: ConvexClient) -> None:
    """The limits of WebSocket libraries, of 1 to 4 MiB, are below what a function may return."""
    large = "x" * (5 * 2**20)
    assert await client.action("notes:echo", {"value": large}) == large


def test_trap_35_a_socket_outlives_the_pause_between_pings() -> None:
    """The deployment may be silent for 15 s; the default leaves room for two pings."""
    for kind in (ConvexClient, ClientProtocol):
        default = inspect.signature(kind).parameters["inactivity_timeout"].default
        assert 2 * PING_INTERVAL <= default <= 60


def test_trap_35_any_frame_is_a_sign_of_life(session: Session) -> None:
    """A ping frame or a part of a large transition counts as much as a message."""
    session.connect()
    for now in (120, 140, 160):
        session.core.heard(now=now)
        session.core.tick(now=now + 29)
        assert session.core.events() == []
    session.core.tick(now=190)
    assert session.core.events() == [CloseConnection("InactiveServer")]
    session.drop("InactiveServer")
    assert isinstance(session.core.connection, Offline)


async def test_trap_35_a_socket_that_is_merely_pinged_lives() -> None:
    """Ping frames come from beneath the messages, and a library may swallow them."""

    async def sync(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=0.1)  # pings at that interval
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    async with (
        TestServer(app) as server,
        ConvexClient(str(server.make_url("")), inactivity_timeout=0.3) as client,
    ):
        await client.connect()
        await asyncio.sleep(1)  # three times what it bears without a sign of life
        assert client.state.connection_count == 1
        assert client.state.phase == "connected"


def test_trap_37_the_client_goes_by_its_own_name() -> None:
    """Who says `npm`, or puts a version in the path, asks for transitions in parts."""
    url = DeploymentUrl.parse("https://happy-animal-123.convex.cloud")
    assert url.sync_url == "wss://happy-animal-123.convex.cloud/api/sync"
    me = client_version(CLIENT_HEADER, None)
    assert me.client == "convex-async"
    assert not me.takes_chunks


async def test_trap_37_parts_are_put_together_all_the_same(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """A deployment that sends parts unasked is understood."""
    deployment.faults.chunk_size = 20
    await client.mutation("notes:add", {"text": "in parts"})
    assert [note["text"] for note in await client.query("notes:list")] == ["in parts"]
    assert client.state.connection_count == 1


def parts(frame: bytes) -> list[bytes]:
    """A transition in two parts, under the id that the deployment gives it: its length."""
    text = frame.decode()
    halves = text[:50], text[50:]
    return [
        encode_message(TransitionChunk(half, n, 2, str(len(text)))) for n, half in enumerate(halves)
    ]


@pytest.mark.parametrize("lost", [False, True], ids=["whole", "interrupted"])
def test_trap_38_transitions_of_equal_length_are_not_mixed_up(lost: bool) -> None:
    """The id of the parts is a length and no key: part 0 always begins anew."""
    one, two = (Server().transition(updated(0, value), ts=5) for value in (b"1", b"2"))
    first, second = parts(encode_message(one)), parts(encode_message(two))
    decoder = FrameDecoder(limit=10_000)
    decoded = [decoder.decode(part) for part in first[: 1 if lost else 2] + second]
    assert decoded == ([None, None, two] if lost else [None, one, None, two])
