"""Mutations and actions: once, in order, and never left without an answer."""

from __future__ import annotations

import asyncio

import pytest

from convex_async import ClientClosedError, ConvexClient, RemoteProtocolError
from convex_async.local import LocalDeployment
from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import RequestSettled, ResultsChanged
from convex_async.protocol.messages import Action, Authenticate, ClientMessage, Mutation
from convex_async.protocol.results import Lost, Succeeded
from tests.protocol.client.test_client_protocol import ALICE, BOB, PATH, SEND, Session, settled
from tests.protocol.wire import action_succeeded, succeeded, updated

# A socket with more unanswered requests than this is closed by the deployment.
SERVER_LIMIT = 1000


def ids(messages: list[ClientMessage]) -> list[int]:
    return [m.request_id for m in messages if isinstance(m, Mutation | Action)]


def test_trap_09_a_mutation_settles_by_its_transition_not_its_response(session: Session) -> None:
    """Who awaited a mutation reads its effect: the results come first."""
    session.subscribe(PATH, "m")
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(succeeded(0, b"1", ts=10)) == []
    assert session.receive(session.server.transition(ts=9, query_set=1)) == []
    events = session.receive(session.server.transition(updated(0, b"[1]"), ts=10))
    assert [type(event) for event in events] == [ResultsChanged, RequestSettled]


def test_trap_10_a_transition_may_come_before_the_response(session: Session) -> None:
    """A response whose commit is visible already settles at once; no transition will follow."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(session.server.transition(ts=11)) == []
    assert settled(session.receive(succeeded(0, b"1", ts=10))) == {0: Succeeded(b"1", [])}


def test_trap_11_answers_that_nobody_waits_for_are_ignored(session: Session) -> None:
    """An unknown or repeated response is normal after a reconnect."""
    session.core.mutation(SEND, b"{}")
    session.core.action(SEND, b"{}")
    session.connect()
    answers = (succeeded(0, b"1", ts=10), action_succeeded(1, b"2"))
    session.receive(*answers)
    session.receive(session.server.transition(ts=10))
    assert session.receive(*answers, succeeded(77, b"1", ts=10), action_succeeded(78, b"1")) == []
    assert session.core.connection == Online()


def test_trap_12_only_actions_that_were_never_sent_are_sent_on_the_next_socket(
    session: Session,
) -> None:
    """An action may have run: a sent one is lost with its socket, and not sent again."""
    sent = session.core.action(SEND, b"{}")
    session.connect()
    unsent = session.core.action(SEND, b"{}")
    assert settled(session.drop("gone")) == {sent: Lost("gone")}
    assert ids(session.connect()) == [unsent]


def test_trap_13_mutations_outlive_their_socket_in_order(session: Session) -> None:
    """Pending mutations are kept and sent again; their callers do not hear of the reconnect."""
    session.connect()
    for _ in range(3):
        session.core.mutation(SEND, b"{}")
        session.core.messages_to_send()
    session.core.mutation(SEND, b"{}")
    assert session.drop() == []
    assert ids(session.connect()) == [0, 1, 2, 3]


def test_trap_39_a_long_queue_is_sent_in_windows(session: Session) -> None:
    """More unanswered requests than the deployment bears would close each new socket again."""
    for _ in range(3 * SERVER_LIMIT):
        session.core.mutation(SEND, b"{}")
    first = ids(session.connect())
    assert 0 < len(first) < SERVER_LIMIT
    session.drop()
    assert ids(session.connect()) == first
    session.receive(*(succeeded(n, b"1", ts=10) for n in first))
    assert ids(session.core.messages_to_send()) == [n + len(first) for n in first]


async def call_all(client: ConvexClient) -> list[asyncio.Future[object]]:
    calls: list[asyncio.Future[object]] = [
        asyncio.ensure_future(client.query("notes:list")),
        asyncio.ensure_future(client.mutation("notes:touch")),
        asyncio.ensure_future(client.action("notes:echo", {"value": 1})),
        asyncio.ensure_future(anext(client.subscribe("notes:list"))),
    ]
    await client.connect()
    return calls


async def test_trap_40_a_fatal_error_ends_every_call(
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


async def test_trap_40_closing_ends_every_call(deployment: LocalDeployment) -> None:
    """No caller hangs on a client that is closed."""
    deployment.faults.delay = 30
    client = ConvexClient(deployment.url, close_timeout=0)
    calls = await call_all(client)
    await client.close()
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ClientClosedError] * 4


def test_trap_42_pending_mutations_run_as_the_user_who_made_them(session: Session) -> None:
    """What the old user asked goes out under the old token, and then the token changes."""
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    session.core.mutation(SEND, b"{}")
    session.core.messages_to_send()
    session.core.set_identity(BOB, now=session.now)
    session.core.mutation(SEND, b"{}")
    session.drop()
    order = [
        m.value if isinstance(m, Authenticate) else m.request_id
        for m in session.connect()
        if isinstance(m, Authenticate | Mutation)
    ]
    assert order == ["alice", 0, "bob", 1]
