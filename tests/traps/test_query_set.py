"""Queries, their versions and their results."""

from __future__ import annotations

from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import IdentityConfirmed, ResultsChanged
from convex_async.protocol.messages import Add, ClientMessage, ModifyQuerySet, QueryRemoved, Remove
from tests.protocol.client.test_client_protocol import (
    ALICE,
    OTHER,
    PATH,
    SEND,
    Session,
    seen,
    settled,
)
from tests.protocol.wire import failed, succeeded, updated


def modification(messages: list[ClientMessage]) -> ModifyQuerySet:
    (message,) = (m for m in messages if isinstance(m, ModifyQuerySet))
    return message


def test_trap_04_journals_are_sent_again(session: Session) -> None:
    """The journal of the latest result goes along with the next Add, so that pages stay put."""
    session.subscribe()
    session.connect()
    session.receive(session.server.transition(updated(0, b"1", "first"), ts=5, query_set=1))
    session.receive(session.server.transition(updated(0, b"2", "latest"), ts=6))
    session.drop()
    (add,) = modification(session.connect()).modifications
    assert isinstance(add, Add)
    assert add.journal == "latest"


def test_trap_05_what_changed_offline_is_one_message_from_version_zero(session: Session) -> None:
    """A new socket gets the live subscriptions as one message, not the changes meanwhile."""
    first, _ = session.core.subscribe(PATH, b"{}", None)
    session.connect()
    session.drop()
    session.core.unsubscribe(first, now=session.now)
    brief, _ = session.core.subscribe(PATH, b'{"n":1}', None)
    session.core.unsubscribe(brief, now=session.now)
    session.core.subscribe(OTHER, b"{}", None)
    message = modification(session.connect())
    assert (message.base_version, message.new_version) == (0, 1)
    assert [getattr(m, "udf_path", m) for m in message.modifications] == [OTHER]
    assert session.core.messages_to_send() == []


def test_trap_06_a_removed_query_may_still_be_told_of(session: Session) -> None:
    """Until a Remove is acknowledged its query's entries are ignored, and versions applied."""
    subscriber, _ = session.core.subscribe(PATH, b"{}", "gone")
    session.subscribe(OTHER, "kept")
    session.connect()
    session.core.unsubscribe(subscriber, now=session.now)
    assert modification(session.core.messages_to_send()).modifications == [Remove(0)]
    late = session.server.transition(updated(0, b"1"), updated(1, b"2"), ts=5, query_set=1)
    assert seen(session.receive(late)) == [("kept", b"2")]
    assert session.receive(session.server.transition(QueryRemoved(0), ts=6, query_set=2)) == []
    assert session.core.connection == Online()


def test_trap_07_a_query_id_is_never_used_again(session: Session) -> None:
    """The same query, wanted again, is a new one with a higher id, after its Remove."""
    first, _ = session.core.subscribe(PATH, b"{}", None)
    session.connect()
    session.core.unsubscribe(first, now=session.now)
    session.subscribe()
    remove, add = modification(session.core.messages_to_send()).modifications
    assert remove == Remove(0)
    assert isinstance(add, Add)
    assert add.query_id == 1


def test_trap_29_a_failed_query_stays_subscribed_and_recovers(session: Session) -> None:
    """A failure is a result like any other: another follows when the data changes."""
    session.subscribe(PATH, "m")
    session.connect()
    failure = session.server.transition(failed(0, "Server Error"), ts=5, query_set=1)
    assert seen(session.receive(failure)) == [("m", "Server Error")]
    assert session.core.messages_to_send() == []
    assert seen(session.receive(session.server.transition(updated(0, b"1"), ts=6))) == [("m", b"1")]


def test_trap_30_a_query_that_a_transition_omits_is_unchanged(session: Session) -> None:
    """What is not mentioned keeps its value."""
    session.subscribe(PATH, "m")
    session.connect()
    session.receive(session.server.transition(updated(0, b"1"), ts=5, query_set=1))
    assert session.receive(session.server.transition(ts=6)) == []
    result = session.core.subscribe(PATH, b"{}", "late")[1]
    assert getattr(result, "value", None) == b"1"


def test_trap_30_an_empty_transition_settles_and_confirms(session: Session) -> None:
    """Its timestamp settles mutations, and its version acknowledges the identity."""
    session.core.set_identity(ALICE, now=session.now)
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(succeeded(0, b"1", ts=10)) == []
    events = session.receive(session.server.transition(ts=10, identity=1))
    assert IdentityConfirmed() in events
    assert list(settled(events)) == [0]


def test_trap_31_an_acknowledged_query_may_still_be_loading(session: Session) -> None:
    """The version that has a query may come without its result, which follows."""
    session.subscribe(PATH, "m")
    session.connect()
    assert session.receive(session.server.transition(ts=5, query_set=1)) == []
    assert session.core.subscribe(PATH, b"{}", "late")[1] is None
    later = session.receive(session.server.transition(updated(0, b"1"), ts=6))
    assert seen(later) == [("m", b"1"), ("late", b"1")]


def test_trap_32_the_results_of_a_transition_are_published_once(session: Session) -> None:
    """All of it is applied before any of it is shown: two queries never disagree."""
    session.subscribe(PATH, "list")
    session.subscribe(OTHER, "count")
    session.connect()
    both = session.server.transition(updated(0, b"[1]"), updated(1, b"1"), ts=5, query_set=1)
    (event,) = session.receive(both)
    assert isinstance(event, ResultsChanged)
    assert seen([event]) == [("list", b"[1]"), ("count", b"1")]
