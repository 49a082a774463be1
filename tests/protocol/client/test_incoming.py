"""What the deployment's messages do to a client core."""

from __future__ import annotations

import pytest

from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import IdentityConfirmed
from convex_async.protocol.messages import ClientMessage, Connect, parse_timestamp
from tests.protocol.client.test_client_protocol import ALICE, SEND, Session, settled
from tests.protocol.wire import action_succeeded, succeeded


@pytest.mark.trap(30)
def test_an_empty_transition_settles_and_confirms(session: Session) -> None:
    """Its timestamp settles mutations, and its version acknowledges the identity."""
    session.core.set_identity(ALICE, now=session.now)
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(succeeded(0, b"1", ts=10)) == []
    events = session.receive(session.server.transition(ts=10, identity=1))
    assert IdentityConfirmed() in events
    assert list(settled(events)) == [0]


@pytest.mark.trap(11)
def test_answers_that_nobody_waits_for_are_ignored(session: Session) -> None:
    """An unknown or repeated response is normal after a reconnect."""
    session.core.mutation(SEND, b"{}")
    session.core.action(SEND, b"{}")
    session.connect()
    answers = (succeeded(0, b"1", ts=10), action_succeeded(1, b"2"))
    session.receive(*answers)
    session.receive(session.server.transition(ts=10))
    assert session.receive(*answers, succeeded(77, b"1", ts=10), action_succeeded(78, b"1")) == []
    assert session.core.connection == Online()


def hello(messages: list[ClientMessage]) -> Connect:
    (message,) = (m for m in messages if isinstance(m, Connect))
    return message


@pytest.mark.trap(33)
def test_the_highest_timestamp_is_told_for_life(session: Session) -> None:
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
