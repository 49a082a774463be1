"""What goes out on a socket, and in which order."""

from __future__ import annotations

import msgspec
import pytest

from convex_async.protocol.frames import encode_message
from convex_async.protocol.messages import ClientMessage, Connect, Ping
from tests.protocol.client.test_client_protocol import ALICE, SEND, Session, kinds


def hello(messages: list[ClientMessage]) -> Connect:
    (message,) = (m for m in messages if isinstance(m, Connect))
    return message


@pytest.mark.trap(1)
def test_the_session_id_is_the_same_on_every_socket(session: Session) -> None:
    """One session id per client: with another one, a mutation sent again would run again."""
    ids = []
    for _ in range(3):
        ids.append(hello(session.connect()).session_id)
        session.drop()
    assert ids == [session.core.session_id] * 3


@pytest.mark.trap(8)
def test_nothing_is_awaited_after_connect(session: Session) -> None:
    """The deployment does not answer a Connect: what is wanted goes out right behind it."""
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect", "ModifyQuerySet", "Mutation"]
    assert session.receive(Ping()) == []


@pytest.mark.trap(24)
def test_numbers_of_the_protocol_are_integers(session: Session) -> None:
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
