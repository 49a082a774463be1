"""The client's sockets: when the next is opened, and when one is dead."""

from __future__ import annotations

import inspect

import pytest

from convex_async import ConvexClient
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Offline
from convex_async.protocol.client.events import CloseConnection
from convex_async.protocol.messages import Ping
from tests.protocol.client.test_client_protocol import SEND, Session, retry_delay
from tests.protocol.wire import succeeded, updated


@pytest.mark.trap(20)
def test_the_backoff_resets_only_when_all_is_settled(session: Session) -> None:
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


PING_INTERVAL = 15.0


@pytest.mark.trap(35)
def test_a_socket_outlives_the_pause_between_pings() -> None:
    """The deployment may be silent for 15 s; the default leaves room for two pings."""
    for kind in (ConvexClient, ClientProtocol):
        default = inspect.signature(kind).parameters["inactivity_timeout"].default
        assert 2 * PING_INTERVAL <= default <= 60


@pytest.mark.trap(35)
def test_any_frame_is_a_sign_of_life(session: Session) -> None:
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


def test_who_wants_a_socket_now_need_not_wait_when_one_is_being_cut(session: Session) -> None:
    """The backoff that begins as the dead one is gone is not for them."""
    session.connect()
    session.core.tick(now=session.now + 30)
    session.core.connect_now(now=session.now + 30)
    session.drop("InactiveServer")
    assert session.core.connection == Offline(session.now)
