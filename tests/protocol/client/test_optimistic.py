"""Optimistic updates: shown at once, run again over each new state, gone with their mutation."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.events import ClientEvent, OptimisticUpdateFailed, RequestSettled
from convex_async.protocol.client.identity import Credential
from convex_async.protocol.client.overlay import OptimisticUpdate, Overlay
from convex_async.protocol.results import Failed, Succeeded
from tests.protocol.client.test_client_protocol import OTHER, PATH, SEND, Session, seen, settled
from tests.protocol.wire import failed, mutation_failed, succeeded, updated

ARGS = b"{}"


def append(item: str, path: FunctionPath = PATH) -> OptimisticUpdate:
    """To a list that is there."""

    def update(overlay: Overlay) -> None:
        if (value := overlay.get(path, ARGS)) is not None:
            overlay.set(path, ARGS, msgspec.json.encode([*msgspec.json.decode(value), item]))

    return update


@pytest.fixture
def session() -> Session:
    """With one live query, whose value is `["a"]` at 3."""
    session = Session()
    session.subscribe(mailbox="list")
    session.connect()
    transition = session.server.transition(updated(0, b'["a"]'), ts=3, query_set=1)
    assert seen(session.receive(transition)) == [("list", b'["a"]')]
    return session


def mutate(session: Session, update: OptimisticUpdate) -> int:
    return session.core.mutation(SEND, ARGS, update=update)


def shown(session: Session) -> list[object]:
    """What the live query was seen as since the last call."""
    return [value for mailbox, value in seen(session.core.events()) if mailbox == "list"]


def test_it_is_shown_at_once_and_replaced_by_the_effect_in_one_step(session: Session) -> None:
    request_id = mutate(session, append("b"))
    assert shown(session) == [b'["a","b"]']
    session.core.messages_to_send()
    assert session.receive(succeeded(request_id, b"null", 5)) == []
    events = session.receive(session.server.transition(updated(0, b'["a","B"]'), ts=5))
    assert seen(events) == [("list", b'["a","B"]')]
    assert settled(events) == {request_id: Succeeded(b"null", [])}
    assert isinstance(events[-1], RequestSettled)  # visible first


def test_the_effect_that_was_expected_is_not_shown_again(session: Session) -> None:
    request_id = mutate(session, append("b"))
    assert shown(session) == [b'["a","b"]']
    events = session.receive(
        succeeded(request_id, b"null", 5),
        session.server.transition(updated(0, b'["a","b"]'), ts=5),
    )
    assert seen(events) == []
    assert list(settled(events)) == [request_id]


def test_nor_is_it_when_the_deployment_spells_it_otherwise() -> None:
    session = Session()
    session.core = type(session.core)(
        session_id="s", same=lambda *texts: len({text.replace(b" ", b"") for text in texts}) == 1
    )
    session.subscribe(mailbox="list")
    session.connect()
    session.receive(session.server.transition(updated(0, b'["a"]'), ts=3, query_set=1))
    request_id = mutate(session, append("b"))
    shown(session)
    events = session.receive(
        succeeded(request_id, b"null", 5),
        session.server.transition(updated(0, b'["a", "b"]'), ts=5),
    )
    assert seen(events) == []
    # From then on it is the deployment's own.
    assert seen(session.receive(session.server.transition(updated(0, b'["a"]'), ts=6)))


def test_it_runs_again_over_what_others_write(session: Session) -> None:
    mutate(session, append("b"))
    shown(session)
    events = session.receive(session.server.transition(updated(0, b'["a","c"]'), ts=4))
    assert seen(events) == [("list", b'["a","c","b"]')]
    assert session.receive(session.server.transition(ts=5)) == []


def test_later_updates_see_earlier_ones_and_stay_when_those_are_over(session: Session) -> None:
    first = mutate(session, append("b"))
    mutate(session, append("c"))
    assert shown(session) == [b'["a","b"]', b'["a","b","c"]']
    events = session.receive(
        succeeded(first, b"null", 5), session.server.transition(updated(0, b'["a","B"]'), ts=5)
    )
    assert seen(events) == [("list", b'["a","B","c"]')]


def test_a_failure_takes_it_back_before_the_caller_is_told(session: Session) -> None:
    request_id = mutate(session, append("b"))
    shown(session)
    events = session.receive(mutation_failed(request_id, b'"no"'))
    assert seen(events) == [("list", b'["a"]')]
    assert isinstance(events[-1], RequestSettled)
    assert isinstance(settled(events)[request_id], Failed)


def test_an_answer_that_comes_after_its_transition_ends_it_too(session: Session) -> None:
    request_id = mutate(session, append("b"))
    shown(session)
    transition = session.server.transition(updated(0, b'["a","b"]'), ts=5)
    assert seen(session.receive(transition)) == [("list", b'["a","b","b"]')]
    events = session.receive(succeeded(request_id, b"null", 5))
    assert seen(events) == [("list", b'["a","b"]')]


def test_what_raises_at_once_leaves_nothing(session: Session) -> None:
    def update(overlay: Overlay) -> None:
        append("b")(overlay)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        mutate(session, update)
    assert session.core.events() == []
    assert session.core.pending_requests == []
    mutate(session, append("c"))
    assert shown(session) == [b'["a","c"]']


def test_what_raises_later_is_told_and_dropped_and_its_mutation_goes_on(session: Session) -> None:
    error = RuntimeError("too many")

    def update(overlay: Overlay) -> None:
        append("b")(overlay)
        if overlay.get(PATH, ARGS) != b'["a","b"]':
            raise error

    request_id = mutate(session, update)
    mutate(session, append("d"))
    shown(session)
    events = session.receive(session.server.transition(updated(0, b'["a","c"]'), ts=4))
    assert seen(events) == [("list", b'["a","c","d"]')]
    assert [e for e in events if isinstance(e, OptimisticUpdateFailed)] == [
        OptimisticUpdateFailed(SEND, error)
    ]
    assert request_id in dict(session.core.pending_requests)
    assert not failures(session.receive(session.server.transition(updated(0, b'["c"]'), ts=5)))


def failures(events: list[ClientEvent[Any]]) -> list[ClientEvent[Any]]:
    return [event for event in events if isinstance(event, OptimisticUpdateFailed)]


@pytest.mark.parametrize("sent", [False, True])
def test_a_withdrawn_mutation_takes_its_update_along(session: Session, sent: bool) -> None:
    request_id = mutate(session, append("b"))
    shown(session)
    if sent:
        session.core.messages_to_send()
    session.core.withdraw(session.core.pending_requests[0][0])
    assert shown(session) == [b'["a"]']
    assert request_id not in dict(session.core.pending_requests)


def test_nobody_sees_what_another_user_expected(session: Session) -> None:
    mutate(session, append("b"))
    shown(session)
    session.core.set_identity(Credential("User", "bob"), now=session.now)
    assert shown(session) == [b'["a"]']


def test_it_stays_over_a_reconnect_until_the_mutation_has_settled(session: Session) -> None:
    request_id = mutate(session, append("b"))
    session.core.messages_to_send()
    session.drop()
    session.connect()
    events = session.receive(session.server.transition(updated(0, b'["a","c"]'), ts=4, query_set=1))
    assert seen(events) == [("list", b'["a","c","b"]')]
    events = session.receive(
        succeeded(request_id, b"null", 5),
        session.server.transition(updated(0, b'["a","c","b"]'), ts=5),
    )
    assert seen(events) == []
    assert list(settled(events)) == [request_id]


def test_a_mutation_may_be_expected_without_a_socket() -> None:
    session = Session()
    session.subscribe(mailbox="list")
    mutate(session, lambda overlay: overlay.set(PATH, ARGS, b'["b"]'))
    assert shown(session) == [b'["b"]']
    assert session.core.subscribe(PATH, ARGS, None)[1] is not None  # who comes later sees it too
    subscriber, result = session.core.subscribe(PATH, ARGS, "fresh", fresh=True)
    assert result is None
    assert subscriber.needs_fresh


def test_what_was_expected_of_a_loading_query_is_not_shown_to_who_comes_after_its_end() -> None:
    session = Session()
    session.subscribe(mailbox="list")
    request_id = mutate(session, lambda overlay: overlay.set(PATH, ARGS, b'["b"]'))
    session.core.withdraw(session.core.pending_requests[0][0])
    assert request_id not in dict(session.core.pending_requests)
    assert session.core.subscribe(PATH, ARGS, None)[1] is None


def test_a_failed_query_may_be_covered_and_is_seen_again(session: Session) -> None:
    session.receive(session.server.transition(failed(0, "no"), ts=4))
    found: list[object] = []

    def update(overlay: Overlay) -> None:
        found.append(overlay.get(PATH, ARGS))
        overlay.set(PATH, ARGS, b"[]")

    request_id = mutate(session, update)
    assert found == [None]
    assert shown(session) == [b"[]"]
    assert seen(session.receive(mutation_failed(request_id, b'"no"'))) == [("list", "no")]


def test_all_queries_of_a_function_are_found_and_no_others(session: Session) -> None:
    session.core.subscribe(PATH, b'{"n":1}', None)
    session.core.subscribe(OTHER, ARGS, None)
    found: list[object] = []
    mutate(session, lambda overlay: found.extend(overlay.all(PATH)))
    assert found == [(ARGS, b'["a"]'), (b'{"n":1}', None)]


def test_a_query_that_nobody_subscribes_to_is_seen_by_later_updates_only(session: Session) -> None:
    found: list[object] = []
    mutate(session, lambda overlay: overlay.set(OTHER, ARGS, b"1"))
    mutate(session, lambda overlay: found.append(overlay.get(OTHER, ARGS)))
    assert found == [b"1"]
    assert session.core.events() == []


def test_one_that_is_confirmed_in_another_spelling_hides_no_other() -> None:
    def same(one: bytes, other: bytes) -> bool:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))

    session = Session()
    session.core = ClientProtocol[Any](session_id="5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11", same=same)
    session.subscribe(PATH, "first")
    session.subscribe(OTHER, "second")
    session.connect()
    transition = session.server.transition(
        updated(0, b"[]"), updated(1, b'["other"]'), ts=3, query_set=1
    )
    session.receive(transition)
    request_id = session.core.mutation(SEND, ARGS, update=append("b"))
    assert seen(session.core.events()) == [("first", b'["b"]')]
    session.core.messages_to_send()
    session.receive(succeeded(request_id, b"null", 5))
    news = session.receive(
        session.server.transition(updated(0, b'[ "b" ]'), updated(1, b'["news"]'), ts=5)
    )
    assert seen(news) == [("second", b'["news"]')]
