"""What subscribers see of transitions."""

from __future__ import annotations

import pytest

from convex_async.protocol.client.events import ResultsChanged
from convex_async.protocol.client.query_set import QuerySet
from convex_async.protocol.client.view import View
from convex_async.protocol.results import Succeeded
from tests.protocol.client.test_client_protocol import OTHER, PATH, Session, seen
from tests.protocol.wire import failed, updated


@pytest.mark.trap(29)
def test_a_failed_query_stays_subscribed_and_recovers(session: Session) -> None:
    """A failure is a result like any other: another follows when the data changes."""
    session.subscribe(PATH, "m")
    session.connect()
    failure = session.server.transition(failed(0, "Server Error"), ts=5, query_set=1)
    assert seen(session.receive(failure)) == [("m", "Server Error")]
    assert session.core.messages_to_send() == []
    assert seen(session.receive(session.server.transition(updated(0, b"1"), ts=6))) == [("m", b"1")]


@pytest.mark.trap(30)
def test_a_query_that_a_transition_omits_is_unchanged(session: Session) -> None:
    """What is not mentioned keeps its value."""
    session.subscribe(PATH, "m")
    session.connect()
    session.receive(session.server.transition(updated(0, b"1"), ts=5, query_set=1))
    assert session.receive(session.server.transition(ts=6)) == []
    result = session.core.subscribe(PATH, b"{}", "late")[1]
    assert getattr(result, "value", None) == b"1"


@pytest.mark.trap(31)
def test_an_acknowledged_query_may_still_be_loading(session: Session) -> None:
    """The version that has a query may come without its result, which follows."""
    session.subscribe(PATH, "m")
    session.connect()
    assert session.receive(session.server.transition(ts=5, query_set=1)) == []
    assert session.core.subscribe(PATH, b"{}", "late")[1] is None
    later = session.receive(session.server.transition(updated(0, b"1"), ts=6))
    assert seen(later) == [("m", b"1"), ("late", b"1")]


@pytest.mark.trap(32)
def test_the_results_of_a_transition_are_published_once(session: Session) -> None:
    """All of it is applied before any of it is shown: two queries never disagree."""
    session.subscribe(PATH, "list")
    session.subscribe(OTHER, "count")
    session.connect()
    both = session.server.transition(updated(0, b"[1]"), updated(1, b"1"), ts=5, query_set=1)
    (event,) = session.receive(both)
    assert isinstance(event, ResultsChanged)
    assert seen([event]) == [("list", b"[1]"), ("count", b"1")]


def test_who_waits_for_another_user_sees_an_equal_result_too() -> None:
    """A refused user's results are withheld until the next one's are there."""
    queries = QuerySet[str]()
    view = View(queries, lambda one, other: one == other)
    subscriber = queries.subscribe(PATH, b"{}", "m", 0.0)
    query = subscriber.query
    query.result, query.fresh = Succeeded(b"1", []), True
    assert view.change([query], settled=True, over=()) == [(subscriber, query.result)]
    assert view.change([query], settled=True, over=()) == []
    view.withhold([subscriber])
    assert view.change([query], settled=False, over=()) == []
    assert view.change([query], settled=True, over=()) == [(subscriber, query.result)]
