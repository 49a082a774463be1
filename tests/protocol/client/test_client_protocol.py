"""The client core as a whole: races that a client can meet, each as a plain test."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Closing, Halted, Offline, Online
from convex_async.protocol.client.events import (
    ClientEvent,
    CloseConnection,
    FunctionLogged,
    IdentityConfirmed,
    IdentityRefused,
    RequestSettled,
    RequestsRefused,
    ResultsChanged,
    Stopped,
    TokenNeeded,
)
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.protocol.client.requests import SMALL, WINDOW
from convex_async.protocol.messages import (
    Action,
    ActionResponse,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    ModifyQuerySet,
    Mutation,
    Ping,
    QueryRemoved,
    Transition,
    TransitionChunk,
    parse_timestamp,
)
from convex_async.protocol.results import Failed, Lost, Succeeded
from tests.protocol.wire import (
    Server,
    action_succeeded,
    failed,
    mutation_failed,
    succeeded,
    updated,
    version,
)

PATH = FunctionPath("messages:list")
OTHER = FunctionPath("messages:count")
SEND = FunctionPath("messages:send")
ALICE, BOB = Credential("User", "alice"), Credential("User", "bob")


class Session:
    """A client core with a socket that is always up to date, and a clock."""

    def __init__(self) -> None:
        self.core = ClientProtocol[Any](session_id="5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11")
        self.server = Server()
        self.now = 100.0

    def connect(self) -> list[ClientMessage]:
        self.server = Server()
        self.core.connected(now=self.now)
        return self.core.messages_to_send()

    def drop(self, reason: str = "closed with code 1006") -> list[ClientEvent[Any]]:
        self.core.disconnected(reason, now=self.now, jitter=0.5)
        return self.core.events()

    def receive(self, *messages: object) -> list[ClientEvent[Any]]:
        for message in messages:
            self.core.received(message, now=self.now)  # type: ignore[arg-type]
        return self.core.events()

    def subscribe(self, path: FunctionPath = PATH, mailbox: object = None) -> object:
        return self.core.subscribe(path, b"{}", mailbox)[0]


def seen(events: list[ClientEvent[Any]]) -> list[tuple[object, object]]:
    """What subscribers were shown: mailbox and value, or failure text."""
    return [
        (subscriber.mailbox, getattr(result, "value", None) or getattr(result, "message", None))
        for event in events
        if isinstance(event, ResultsChanged)
        for subscriber, result in event.deliveries
    ]


def settled(events: list[ClientEvent[Any]]) -> dict[int, object]:
    return {e.request_id: e.answer for e in events if isinstance(e, RequestSettled)}


def kinds(messages: list[ClientMessage]) -> list[str]:
    return [type(message).__name__ for message in messages]


def test_a_request_alone_goes_out_by_itself_once(session: Session) -> None:
    session.connect()
    request_id = session.core.mutation(SEND, b"{}")
    message = session.core.lone_message()
    assert message == Mutation(request_id, SEND, Raw(b"[{}]"))
    assert session.core.lone_message() is None
    assert session.core.messages_to_send() == []
    assert session.core.withdraw(request_id) == "unknown"


def test_a_request_that_is_not_alone_leaves_with_the_others(session: Session) -> None:
    core = session.core
    core.mutation(SEND, b"{}")
    assert core.lone_message() is None  # there is no socket
    core.connected(now=session.now)
    assert core.lone_message() is None  # the session opens first
    assert kinds(core.messages_to_send())[-1] == "Mutation"
    core.action(SEND, b"{}")
    assert core.lone_message() is None  # another is unanswered
    assert kinds(core.messages_to_send()) == ["Action"]


def test_a_request_is_not_sent_ahead_of_a_query_or_an_identity(session: Session) -> None:
    core = session.core
    session.connect()
    session.subscribe()
    core.mutation(SEND, b"{}")
    assert core.lone_message() is None
    assert kinds(core.messages_to_send()) == ["ModifyQuerySet", "Mutation"]
    session.receive(
        session.server.transition(ts=3, query_set=2),
        succeeded(0, b"1", 4),
        session.server.transition(ts=4),
    )
    core.set_identity(ALICE, now=session.now)
    core.mutation(SEND, b"{}")
    assert core.lone_message() is None
    assert kinds(core.messages_to_send()) == ["Authenticate", "Mutation"]


def test_a_large_request_is_left_to_who_can_wait_for_the_peer(session: Session) -> None:
    session.connect()
    session.core.mutation(SEND, b'{"a":"%b"}' % (b"x" * SMALL))
    assert session.core.lone_message() is None
    assert kinds(session.core.messages_to_send()) == ["Mutation"]


def test_nothing_is_sent_without_a_socket(session: Session) -> None:
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert session.core.messages_to_send() == []
    assert kinds(session.connect()) == ["Connect", "ModifyQuerySet", "Mutation"]
    assert session.core.messages_to_send() == []


def test_the_first_hello(session: Session) -> None:
    hello = session.connect()[0]
    assert hello == Connect(session.core.session_id, 0, "InitialConnect")


def test_a_later_hello_tells_the_session_so_far(session: Session) -> None:
    session.core.mutation(SEND, b"{}")
    session.connect()
    session.receive(session.server.transition(ts=20), succeeded(0, b"1", ts=30))
    session.drop("CommitterFullError")
    hello = session.connect()[0]
    assert isinstance(hello, Connect)
    assert (hello.connection_count, hello.last_close_reason) == (1, "CommitterFullError")
    assert hello.max_observed_timestamp is not None
    assert parse_timestamp(hello.max_observed_timestamp) == 30


def test_all_results_of_a_transition_become_visible_together(session: Session) -> None:
    session.subscribe(PATH, "list")
    session.subscribe(OTHER, "count")
    session.connect()
    events = session.receive(
        session.server.transition(updated(0, b"[1]"), updated(1, b"1"), ts=5, query_set=1)
    )
    (event,) = events
    assert isinstance(event, ResultsChanged)
    assert event.ts == 5
    assert seen(events) == [("list", b"[1]"), ("count", b"1")]


def test_an_equal_result_is_not_delivered_again_also_over_a_reconnect(session: Session) -> None:
    session.subscribe(PATH, "m")
    session.connect()
    session.receive(session.server.transition(updated(0, b"[1]"), ts=5, query_set=1))
    assert session.receive(session.server.transition(updated(0, b"[1]"), ts=6)) == []
    session.drop()
    session.connect()
    again = session.server.transition(updated(0, b"[1]"), ts=7, query_set=1)
    assert session.receive(again) == []
    assert seen(session.receive(session.server.transition(updated(0, b"[2]"), ts=8))) == [
        ("m", b"[2]")
    ]


def test_a_failure_repeats_only_if_it_says_something_else(session: Session) -> None:
    session.subscribe(PATH, "m")
    session.connect()
    first = failed(0, "[Request ID: aa] Server Error")
    second = failed(0, "[Request ID: bb] Server Error")
    thrown = failed(0, "[Request ID: cc] Server Error", b"null")
    transition = session.server.transition
    assert seen(session.receive(transition(first, ts=1, query_set=1))) == [("m", "Server Error")]
    assert seen(session.receive(transition(second, ts=2))) == []
    assert seen(session.receive(transition(thrown, ts=3))) == [("m", "Server Error")]
    assert seen(session.receive(transition(updated(0, b"1"), ts=4))) == [("m", b"1")]


def test_a_late_subscriber_gets_the_present_value_at_once(session: Session) -> None:
    session.subscribe()
    session.connect()
    session.receive(session.server.transition(updated(0, b"[1]"), ts=5, query_set=1))
    _, result = session.core.subscribe(PATH, b"{}", "late")
    assert getattr(result, "value", None) == b"[1]"
    assert session.core.messages_to_send() == []


def test_a_fresh_subscriber_waits_for_the_present_socket(session: Session) -> None:
    session.subscribe(PATH, "old")
    session.connect()
    session.receive(session.server.transition(updated(0, b"[1]"), ts=5, query_set=1))
    session.drop()
    assert session.core.subscribe(PATH, b"{}", "late")[1] is not None
    assert session.core.subscribe(PATH, b"{}", "once", fresh=True)[1] is None
    session.connect()
    unchanged = session.server.transition(updated(0, b"[1]"), ts=6, query_set=1)
    assert seen(session.receive(unchanged)) == [("once", b"[1]")]


def test_entries_for_a_removed_query_are_ignored_but_versions_move(session: Session) -> None:
    subscriber, _ = session.core.subscribe(PATH, b"{}", "m")
    session.connect()
    session.core.unsubscribe(subscriber, now=session.now)
    session.core.messages_to_send()
    late = session.server.transition(updated(0, b"1"), ts=5, query_set=1)
    gone = session.server.transition(QueryRemoved(0), ts=6, query_set=2)
    assert session.receive(late, gone) == []
    assert session.core.connection == Online()


def test_a_wrong_start_version_reconnects(session: Session) -> None:
    session.connect()
    wrong = Transition(version(3, 0, 5), version(3, 0, 6), [])
    assert session.receive(wrong) == [CloseConnection("StartVersionMismatch")]
    assert session.core.connection == Closing()
    assert session.receive(session.server.transition(updated(0, b"1"), ts=5)) == []
    session.drop("StartVersionMismatch")
    assert isinstance(session.core.connection, Offline)


def test_a_stray_chunk_reconnects(session: Session) -> None:
    session.connect()
    (event,) = session.receive(TransitionChunk("x", 0, 2, "9"))
    assert isinstance(event, CloseConnection)


def test_a_mutation_settles_after_its_results_are_visible(session: Session) -> None:
    session.subscribe(PATH, "m")
    session.connect()
    session.receive(session.server.transition(updated(0, b"[]"), ts=5, query_set=1))
    request_id = session.core.mutation(SEND, b"{}")
    assert kinds(session.core.messages_to_send()) == ["Mutation"]
    assert session.receive(succeeded(request_id, b'"id"', ts=10)) == []
    assert session.receive(session.server.transition(ts=9)) == []
    events = session.receive(session.server.transition(updated(0, b"[1]"), ts=11))
    assert [type(event) for event in events] == [ResultsChanged, RequestSettled]
    assert settled(events) == {request_id: Succeeded(b'"id"', [])}


def test_a_transition_may_come_before_the_response(session: Session) -> None:
    request_id = session.core.mutation(SEND, b"{}")
    session.connect()
    session.receive(session.server.transition(ts=10))
    assert request_id in settled(session.receive(succeeded(request_id, b"1", ts=10)))


def test_failures_settle_at_once_with_their_data(session: Session) -> None:
    request_id = session.core.mutation(SEND, b"{}")
    session.connect()
    text = b'"[Request ID: 0a] Server Error"'
    events = session.receive(mutation_failed(request_id, text, b'{"code":"FULL"}'))
    assert settled(events) == {
        request_id: Failed("Server Error", b'{"code":"FULL"}', [], "0a"),
    }


def test_a_reconnect_resends_mutations_and_fails_sent_actions(session: Session) -> None:
    session.connect()
    mutation = session.core.mutation(SEND, b"{}")
    action = session.core.action(SEND, b"{}")
    session.core.messages_to_send()
    assert settled(session.drop("gone")) == {action: Lost("gone")}
    later = session.core.action(SEND, b"{}")
    messages = session.connect()
    assert kinds(messages) == ["Connect", "ModifyQuerySet", "Mutation", "Action"]
    assert [m.request_id for m in messages[2:]] == [mutation, later]  # type: ignore[union-attr]


def test_a_completed_mutation_settles_by_the_first_transition_of_the_next_socket(
    session: Session,
) -> None:
    request_id = session.core.mutation(SEND, b"{}")
    session.connect()
    session.receive(succeeded(request_id, b"1", ts=10))
    assert session.drop() == []
    assert kinds(session.connect()) == ["Connect", "ModifyQuerySet"]
    events = session.receive(session.server.transition(ts=12, query_set=1))
    assert settled(events) == {request_id: Succeeded(b"1", [])}


def test_a_long_backlog_stays_within_the_window_over_a_reconnect(session: Session) -> None:
    session.connect()
    for _ in range(WINDOW + 100):
        session.core.mutation(SEND, b"{}")
    assert len(session.core.messages_to_send()) == WINDOW
    session.drop()
    messages = session.connect()
    mutations = [m.request_id for m in messages if isinstance(m, Mutation)]
    assert mutations == list(range(WINDOW))
    session.receive(succeeded(0, b"1", ts=10))
    assert [m.request_id for m in session.core.messages_to_send()] == [WINDOW]  # type: ignore[union-attr]


def test_a_fatal_error_ends_everything_and_stays(session: Session) -> None:
    unsent_later = session.core.mutation(SEND, b"{}")
    session.connect()
    unsent = session.core.mutation(SEND, b"{}")
    (event,) = session.receive(FatalError("BaseVersionMismatch"))
    expected = [(unsent_later, "unknown"), (unsent, "not_sent")]
    assert event == Stopped("BaseVersionMismatch", expected)  # type: ignore[arg-type]
    session.drop()
    assert session.core.connection == Halted("BaseVersionMismatch")


def test_silence_is_noticed_and_any_frame_counts(session: Session) -> None:
    session.connect()
    assert session.core.next_deadline == 130
    session.core.heard(now=120)
    session.core.tick(now=149)
    assert session.core.events() == []
    session.core.tick(now=150)
    assert session.core.events() == [CloseConnection("InactiveServer")]


def retry_delay(session: Session) -> float | None:
    assert isinstance(session.core.connection, Offline)
    retry_at = session.core.connection.retry_at
    return None if retry_at is None else retry_at - session.now


def test_the_backoff_resets_only_when_all_that_was_outstanding_has_settled(
    session: Session,
) -> None:
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    for expected in (1.0, 2.0, 4.0):
        session.connect()
        session.receive(Ping(), session.server.transition(updated(0, b"1"), ts=5, query_set=1))
        session.drop()
        assert retry_delay(session) == expected
    session.connect()
    session.receive(session.server.transition(updated(0, b"1"), ts=5, query_set=1))
    session.receive(succeeded(0, b"1", ts=5))
    session.drop()
    assert retry_delay(session) == 1.0


def test_connect_now_cuts_the_backoff_short(session: Session) -> None:
    session.connect()
    session.drop()
    session.core.connect_now(now=session.now)
    assert retry_delay(session) == 0


# ClientIdentity


def test_authenticate_precedes_everything_else(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    messages = session.connect()
    assert kinds(messages) == ["Connect", "Authenticate", "ModifyQuerySet", "Mutation"]


def test_nothing_runs_anonymously_while_a_token_is_fetched(session: Session) -> None:
    session.core.set_identity(None, now=session.now, refreshable=True)
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect"]
    session.core.provide_token(ALICE, now=session.now)
    assert kinds(session.core.messages_to_send()) == ["Authenticate", "ModifyQuerySet", "Mutation"]


def test_a_transition_confirms_the_identity(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    assert not session.core.identity.is_settled
    events = session.receive(session.server.transition(ts=5, identity=1))
    assert events == [IdentityConfirmed()]
    assert session.core.identity.is_settled


def test_a_question_of_the_new_user_is_not_answered_with_the_old_ones_result(
    session: Session,
) -> None:
    session.subscribe(PATH, "live")
    session.connect()
    session.receive(session.server.transition(updated(0, b'"public"'), ts=5, query_set=1))
    session.core.set_identity(ALICE, now=session.now)
    _, result = session.core.subscribe(PATH, b"{}", "alice", fresh=True)
    assert result is None
    session.core.messages_to_send()
    old = session.server.transition(updated(0, b'"public 2"'), ts=6)
    assert seen(session.receive(old)) == [("live", b'"public 2"')]
    # The server leaves out what did not change: the acknowledgement is the answer.
    confirmed = session.server.transition(ts=7, identity=1)
    assert seen(session.receive(confirmed)) == [("alice", b'"public 2"')]


def test_requests_run_as_the_user_who_made_them(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    session.core.mutation(SEND, b"{}")
    session.core.messages_to_send()
    session.core.set_identity(BOB, now=session.now)
    session.core.mutation(SEND, b"{}")
    session.drop()
    tokens = [
        m.value if isinstance(m, Authenticate) else type(m).__name__ for m in session.connect()
    ]
    assert tokens == ["Connect", "alice", "Mutation", "bob", "ModifyQuerySet", "Mutation"]


def test_the_same_user_again_is_confirmed_at_once(session: Session) -> None:
    """No message is needed, whatever still waits: no transition would ever come to confirm it."""
    session.connect()
    session.core.mutation(SEND, b"{}")
    session.core.set_identity(ANONYMOUS, now=session.now)
    assert session.core.events() == [IdentityConfirmed()]


def test_a_user_is_confirmed_when_nobody_elses_request_is_left(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    session.receive(session.server.transition(ts=5, identity=1))
    session.core.set_identity(BOB, now=session.now)
    request_id = session.core.mutation(SEND, b"{}")
    session.core.set_identity(ALICE, now=session.now)
    assert session.core.events() == []
    assert session.core.withdraw(request_id) == "not_sent"
    assert session.core.events() == [IdentityConfirmed()]
    assert session.core.messages_to_send() == []


def test_a_full_window_of_the_old_user_holds_the_new_one_back(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    for _ in range(WINDOW + 1):
        session.core.mutation(SEND, b"{}")
    session.core.set_identity(BOB, now=session.now)
    assert "Authenticate" not in kinds(session.core.messages_to_send())
    session.receive(succeeded(0, b"1", ts=10))
    assert kinds(session.core.messages_to_send()) == ["Mutation", "Authenticate"]


def test_requests_of_a_user_without_a_token_fail_at_the_switch(session: Session) -> None:
    session.core.set_identity(None, now=session.now, refreshable=True)
    request_id = session.core.mutation(SEND, b"{}")
    session.core.set_identity(BOB, now=session.now)
    (event,) = session.core.events()
    assert isinstance(event, RequestsRefused)
    assert event.abandoned == [(request_id, "not_sent")]


def test_a_refused_static_token_fails_closed(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    request_id = session.core.mutation(SEND, b"{}")
    session.connect()
    events = session.receive(AuthError("bad token", 0, True))
    assert events == [
        IdentityRefused("bad token", [(request_id, "unknown")]),
        CloseConnection("AuthError"),
    ]
    session.drop("AuthError")
    assert retry_delay(session) is None
    session.core.set_identity(ANONYMOUS, now=session.now)
    assert retry_delay(session) == 0
    assert kinds(session.connect()) == ["Connect", "ModifyQuerySet"]


@pytest.mark.parametrize("token_first", [True, False])
def test_a_refused_fetched_token_reconnects_at_once_with_another(
    session: Session, token_first: bool
) -> None:
    session.core.set_identity(None, now=session.now, refreshable=True)
    session.core.provide_token(ALICE, now=session.now)
    session.connect()
    events = session.receive(AuthError("expired", 0, True))
    assert events == [TokenNeeded("expired"), CloseConnection("AuthError")]
    if token_first:
        session.core.provide_token(BOB, now=session.now)
        session.drop("AuthError")
    else:
        session.drop("AuthError")
        assert retry_delay(session) is None
        session.core.provide_token(BOB, now=session.now)
    assert retry_delay(session) == 0
    messages = session.connect()
    assert isinstance(messages[1], Authenticate)
    assert messages[1].value == "bob"


def test_a_refusal_of_the_old_users_token_spares_the_new_one(session: Session) -> None:
    session.core.set_identity(ALICE, now=session.now)
    session.connect()
    for _ in range(WINDOW + 1):
        session.core.mutation(SEND, b"{}")
    session.core.messages_to_send()
    session.core.set_identity(BOB, now=session.now)
    kept = session.core.mutation(SEND, b"{}")
    events = session.receive(AuthError("expired", 0, True))
    assert isinstance(events[0], RequestsRefused)
    assert len(events[0].abandoned) == WINDOW + 1
    session.drop("AuthError")
    assert retry_delay(session) == 0
    messages = session.connect()
    assert kinds(messages) == ["Connect", "Authenticate", "ModifyQuerySet", "Mutation"]
    assert messages[3].request_id == kept  # type: ignore[union-attr]


def test_log_lines_are_told_with_their_function(session: Session) -> None:
    request_id = session.core.action(SEND, b"{}")
    session.connect()
    events = session.receive(ActionResponse(request_id, True, Raw(b"1"), ["[LOG] 'hi'"]))
    assert FunctionLogged(SEND, ["[LOG] 'hi'"]) in events


def test_an_answer_after_the_caller_left_is_ignored(session: Session) -> None:
    request_id = session.core.action(SEND, b"{}")
    messages = session.connect()
    assert isinstance(messages[1], ModifyQuerySet)
    assert session.core.withdraw(request_id) == "unknown"
    assert session.receive(action_succeeded(request_id, b"1")) == []


def test_what_was_asked_first_goes_first_whatever_it_is() -> None:
    """A mutation as one user, then an action as another: each as its own, in this order."""
    session = Session()
    session.core.set_identity(ALICE, now=session.now)
    mutation = session.core.mutation(SEND, b"{}")
    session.core.set_identity(BOB, now=session.now)
    action = session.core.action(SEND, b"{}")
    sent = session.connect()
    kinds = [type(message).__name__ for message in sent]
    assert kinds == [
        "Connect",
        "Authenticate",
        "Mutation",
        "Authenticate",
        "ModifyQuerySet",
        "Action",
    ]
    assert [m.value for m in sent if isinstance(m, Authenticate)] == ["alice", "bob"]
    assert [m.request_id for m in sent if isinstance(m, Mutation | Action)] == [mutation, action]


def test_nothing_is_sent_while_the_token_is_held() -> None:
    session = Session()
    session.core.set_identity(ALICE, now=session.now, refreshable=True)
    session.core.hold_identity()
    session.core.mutation(SEND, b"{}")
    assert [type(message).__name__ for message in session.connect()] == ["Connect"]
    session.core.provide_token(BOB, now=session.now)
    sent = [type(message).__name__ for message in session.core.messages_to_send()]
    assert sent == ["Authenticate", "ModifyQuerySet", "Mutation"]


def test_the_backoff_begins_anew_when_the_rest_was_given_up() -> None:
    session = Session()
    session.core.set_identity(ALICE, now=session.now)
    session.core.mutation(SEND, b"{}")
    lingering, _ = session.core.subscribe(PATH, b"{}", "m", linger=5)
    session.drop()
    session.connect()
    session.core.unsubscribe(lingering, now=session.now)
    assert session.core.retries == 1
    session.core.refuse_identity("no")
    session.core.set_identity(BOB, now=session.now)
    session.core.tick(now=session.now + 5)
    assert session.core._link.outstanding <= {("identity", 0)}
