"""Queries, their subscribers, and the one message that a tick's intents make."""

from typing import Any

import pytest

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.query_set import QuerySet, Subscriber
from convex_async.protocol.messages import Add, ClientMessage, ModifyQuerySet, QueryRemoved, Remove
from convex_async.protocol.results import Failed, Succeeded
from tests.protocol.client.test_client_protocol import OTHER, PATH, Session, seen
from tests.protocol.wire import updated

A, B = FunctionPath("a:list"), FunctionPath("b:list")


def subscribe(queries: QuerySet[Any], path: FunctionPath, linger: float = 0.0) -> Subscriber[Any]:
    return queries.subscribe(path, b"{}", None, linger)


def test_a_thousand_intents_are_one_message() -> None:
    queries = QuerySet[Any]()
    for i in range(1000):
        queries.subscribe(A, b'{"i":%d}' % i, None, 0.0)
    message = queries.drain()
    assert message is not None
    assert (message.base_version, message.new_version) == (0, 1)
    assert [m.query_id for m in message.modifications] == list(range(1000))
    assert queries.drain() is None


def test_equal_queries_are_one_until_the_last_subscriber_leaves() -> None:
    queries = QuerySet[Any]()
    one, other = subscribe(queries, A), subscribe(queries, A)
    assert one.query is other.query
    queries.drain()
    queries.unsubscribe(one, now=0)
    queries.unsubscribe(one, now=0)
    assert queries.drain() is None
    queries.unsubscribe(other, now=0)
    message = queries.drain()
    assert message is not None
    assert message.modifications == [Remove(0)]


def test_a_query_that_was_never_sent_leaves_without_a_message() -> None:
    queries = QuerySet[Any]()
    queries.unsubscribe(subscribe(queries, A), now=0)
    assert not queries.wants_to_send


def test_ids_are_never_used_again() -> None:
    queries = QuerySet[Any]()
    first = subscribe(queries, A)
    queries.unsubscribe(first, now=0)
    again = subscribe(queries, A)
    assert again.query.query_id != first.query.query_id


def test_a_new_socket_gets_the_whole_set_with_journals_even_if_empty() -> None:
    queries = QuerySet[Any]()
    empty = QuerySet[Any]()
    empty.restart()
    message = empty.drain()
    assert message is not None
    assert (message.base_version, message.new_version, message.modifications) == (0, 1, [])

    kept, left = subscribe(queries, A), subscribe(queries, B)
    queries.drain()
    kept.query.journal = "J7"
    queries.unsubscribe(left, now=0)  # its Remove must not reach the next socket
    queries.restart()
    message = queries.drain()
    assert message is not None
    assert message.base_version == 0
    (add,) = message.modifications
    assert isinstance(add, Add)
    assert (add.query_id, add.journal) == (0, "J7")


def test_a_lingering_query_stays_until_its_time_or_the_next_subscriber() -> None:
    queries = QuerySet[Any]()
    subscriber = subscribe(queries, A, linger=5)
    queries.drain()
    queries.unsubscribe(subscriber, now=10)
    assert queries.next_deadline == 15
    again = subscribe(queries, A)
    assert again.query is subscriber.query
    assert queries.next_deadline is None
    queries.unsubscribe(again, now=20)
    queries.expire(now=24.9)
    assert queries.drain() is None
    queries.expire(now=25)
    message = queries.drain()
    assert message is not None
    assert message.modifications == [Remove(0)]


def test_the_same_state_is_told_by_bytes_and_not_by_the_run() -> None:
    value = Succeeded(b"1", ())
    assert value.same_state(Succeeded(b"1", ("[LOG] x",)))
    assert not value.same_state(Succeeded(b"2", ()))
    failure = Failed("no", None, (), "aa")
    assert failure.same_state(Failed("no", None, (), "bb"))
    assert not failure.same_state(Failed("no", b"null", (), "aa"))
    assert not value.same_state(failure)


def test_a_set_that_is_too_large_for_one_message_goes_in_several() -> None:
    queries = QuerySet[Any]()
    args = [b'{"a":"%b"}' % (b"x" * size) for size in (100, 5000, 101, 102)]
    for each in args:
        queries.subscribe(A, each, None, 0.0)
    queries.restart()
    messages = []
    while message := queries.drain(1000):
        messages.append(message)
    versions = [(message.base_version, message.new_version) for message in messages]
    assert versions == [(0, 1), (1, 2), (2, 3)]
    sent = [[change.query_id for change in message.modifications] for message in messages]
    assert sent == [[0], [1], [2, 3]]
    assert not queries.wants_to_send


def test_the_first_to_go_of_those_that_linger_sets_the_deadline() -> None:
    queries = QuerySet[Any]()
    for path, linger in ((A, 5.0), (B, 3.0)):
        queries.unsubscribe(subscribe(queries, path, linger=linger), now=10)
    assert queries.next_deadline == 13
    queries.expire(now=13)
    assert queries.next_deadline == 15
    queries.expire(now=15)
    assert queries.next_deadline is None


def modification(messages: list[ClientMessage]) -> ModifyQuerySet:
    (message,) = (m for m in messages if isinstance(m, ModifyQuerySet))
    return message


@pytest.mark.trap(4)
def test_journals_are_sent_again(session: Session) -> None:
    """The journal of the latest result goes along with the next Add, so that pages stay put."""
    session.subscribe()
    session.connect()
    session.receive(session.server.transition(updated(0, b"1", "first"), ts=5, query_set=1))
    session.receive(session.server.transition(updated(0, b"2", "latest"), ts=6))
    session.drop()
    (add,) = modification(session.connect()).modifications
    assert isinstance(add, Add)
    assert add.journal == "latest"


@pytest.mark.trap(5)
def test_what_changed_offline_is_one_message_from_version_zero(session: Session) -> None:
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


@pytest.mark.trap(6)
def test_a_removed_query_may_still_be_told_of(session: Session) -> None:
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


@pytest.mark.trap(7)
def test_a_query_id_is_never_used_again(session: Session) -> None:
    """The same query, wanted again, is a new one with a higher id, after its Remove."""
    first, _ = session.core.subscribe(PATH, b"{}", None)
    session.connect()
    session.core.unsubscribe(first, now=session.now)
    session.subscribe()
    remove, add = modification(session.core.messages_to_send()).modifications
    assert remove == Remove(0)
    assert isinstance(add, Add)
    assert add.query_id == 1
