"""Who a client is to the deployment, over its sockets and over its processes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from convex_async import ConvexClient, OutboxError
from convex_async.local import LocalDeployment
from convex_async.outbox.journal import FileJournal
from convex_async.protocol.frames import encode_message
from convex_async.protocol.messages import ClientMessage, Connect, Ping, parse_timestamp
from tests.protocol.client.test_client_protocol import ALICE, SEND, Session, kinds
from tests.protocol.wire import succeeded

URL = "https://happy-animal-123.convex.cloud"


def hello(messages: list[ClientMessage]) -> Connect:
    (message,) = (m for m in messages if isinstance(m, Connect))
    return message


def test_trap_01_the_session_id_is_the_same_on_every_socket(session: Session) -> None:
    """One session id per client: with another one, a mutation sent again would run again."""
    ids = []
    for _ in range(3):
        ids.append(hello(session.connect()).session_id)
        session.drop()
    assert ids == [session.core.session_id] * 3


async def test_trap_01_a_mutation_sent_again_runs_once(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """The deployment knows a request by the session id and its own, on whichever socket."""
    await client.connect()
    deployment.faults.drop_after_commit = 1
    await client.mutation("notes:add", {"text": "once"})
    assert client.state.connection_count == 2
    assert len(await client.query("notes:list")) == 1


async def test_trap_02_a_kept_session_goes_on_counting_its_requests(tmp_path: Path) -> None:
    """The session id and the next request id are kept together: a reused one runs nothing."""
    first = FileJournal(tmp_path / "outbox", URL)
    await first.open()
    used = [first.next_id() for _ in range(3)]
    await first.close()
    second = FileJournal(tmp_path / "outbox", URL)
    await second.open()
    assert second.session_id == first.session_id
    assert second.next_id() > max(used)
    await second.close()


async def test_trap_03_no_two_clients_share_a_session_id(
    deployment: LocalDeployment, client: ConvexClient, frames: list[ClientMessage]
) -> None:
    """Each running client has a session id of its own."""
    async with ConvexClient(deployment.url, close_timeout=0) as other:
        await client.query("notes:list")
        await other.query("notes:list")
    assert len({m.session_id for m in frames if isinstance(m, Connect)}) == 2


async def test_trap_03_a_kept_session_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """A session id in a file is one client's until it closes."""
    owner, other = (FileJournal(tmp_path / "outbox", URL) for _ in range(2))
    await owner.open()
    with pytest.raises(OutboxError, match="another client"):
        await other.open()
    await owner.close()
    await other.open()
    await other.close()


def test_trap_08_nothing_is_awaited_after_connect(session: Session) -> None:
    """The deployment does not answer a Connect: what is wanted goes out right behind it."""
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect", "ModifyQuerySet", "Mutation"]
    assert session.receive(Ping()) == []


async def test_trap_08_connecting_does_not_wait_for_a_message(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """`connect` returns with the socket open, even if the deployment says nothing at all."""
    deployment.faults.silent = True
    await client.connect()
    assert client.state.is_connected


def test_trap_24_numbers_of_the_protocol_are_integers(session: Session) -> None:
    """One number with a fraction is a FatalError: ids, versions and clocks are integers."""
    session.core.set_identity(ALICE, now=session.now)
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    session.core.action(SEND, b"{}")
    fractions: list[str] = []
    decoder = msgspec.json.Decoder(float_hook=fractions.append)
    messages = session.connect()
    assert [decoder.decode(encode_message(m))["type"] for m in messages] == kinds(messages)
    assert len(messages) == 5
    assert fractions == []


def test_trap_33_the_highest_timestamp_is_told_for_life(session: Session) -> None:
    """`maxObservedTimestamp` never goes down, whichever message and socket it came with."""
    session.core.mutation(SEND, b"{}")
    assert hello(session.connect()).max_observed_timestamp is None
    session.receive(session.server.transition(ts=20), succeeded(0, b"1", ts=30))
    for ts in (25, 26):
        session.drop()
        observed = hello(session.connect()).max_observed_timestamp
        assert observed is not None
        assert parse_timestamp(observed) == 30
        session.receive(session.server.transition(ts=ts))
