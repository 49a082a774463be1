"""Whatever a client sends, the server core answers it or ends the socket, and never raises."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.frames import decode_client_message
from convex_async.protocol.messages import (
    INITIAL_VERSION,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    Transition,
    format_timestamp,
)
from convex_async.protocol.results import Failed, Succeeded
from convex_async.protocol.server.checks import check
from convex_async.protocol.server.server_protocol import ServerProtocol
from convex_async.protocol.server.work import RunAction, RunMutation, RunQueries, Verify

SESSION = "5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11"
ADD = {"type": "Add", "queryId": 1, "udfPath": "a:b", "args": [{}], "journal": None}
MESSAGES: list[dict[str, Any]] = [
    {"type": "Connect", "sessionId": SESSION, "connectionCount": 0, "clientTs": 5},
    {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [ADD]},
    {
        "type": "ModifyQuerySet",
        "baseVersion": 1,
        "newVersion": 2,
        "modifications": [{"type": "Remove", "queryId": 1}, ADD],
    },
    {"type": "Mutation", "requestId": 0, "udfPath": "a:b", "args": [{}]},
    {"type": "Action", "requestId": 1, "udfPath": "a:b", "args": [{}]},
    {"type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": "x"},
    {"type": "Authenticate", "baseVersion": 1, "tokenType": "None"},
    {"type": "Event", "eventType": "Lunch", "event": {}},
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from([2**32, 2**64, 1.5, 1e300, "", "a:b", "a-b:c", "AAAAAAAAAAA=", "A", SESSION])
    | st.text(max_size=5)
)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of any kind, now and then with a field that is missing or odd."""
    message: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(MESSAGES)))
    if draw(st.booleans()):
        changed = message
        if message.get("modifications") and draw(st.booleans()):
            changed = draw(st.sampled_from(message["modifications"]))
        name = draw(st.sampled_from([*changed, "maxObservedTimestamp", "componentPath"]))
        if draw(st.booleans()):
            changed.pop(name, None)
        else:
            changed[name] = draw(ODD)
    return message


class Server:
    """The core, and an engine that does its work at once, in one way or another."""

    def __init__(self) -> None:
        self.core = ServerProtocol[Any]()
        self.sent: list[Any] = []

    def receive(self, message: dict[str, Any]) -> None:
        try:
            decoded = decode_client_message(json.dumps(message).encode())
        except RemoteProtocolError as error:
            self.core.fatal(str(error))
        else:
            self.core.received(decoded, now=1.0, ts=9)

    def run(self, accepts: bool) -> None:
        outcome = Succeeded(b"1") if accepts else Failed("no")
        for work in self.core.work(now=1.0):
            match work:
                case Verify() if accepts:
                    self.core.verified("ada", expires_at=None, now=1.0, ts=9)
                case Verify():
                    self.core.refused("no")
                case RunMutation():
                    self.core.mutation_done(outcome, 9 if accepts else None)
                case RunAction(message):
                    self.core.action_done(message.request_id, outcome)
                case RunQueries(queries):
                    self.core.queries_done(9, {query.query_id: outcome for query in queries})
        self.sent += self.core.messages_to_send()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(messages(), st.booleans()), max_size=12))
@example([(message, True) for message in MESSAGES])
def test_any_input_is_answered_or_ends_the_socket(
    inputs: list[tuple[dict[str, Any], bool]],
) -> None:
    server = Server()
    version = INITIAL_VERSION
    for message, accepts in inputs:
        was_closing = server.core.closing is not None
        count = len(server.sent)
        server.receive(message)
        server.run(accepts)
        server.run(accepts)  # what was answered may be followed by a transition
        assert not was_closing or len(server.sent) == count, "it goes on after the end"
    for sent in server.sent:
        if isinstance(sent, Transition):
            assert sent.start_version == version
            version = sent.end_version
            ids = [change.query_id for change in sent.modifications]
            assert ids == sorted(set(ids))
    last_words = [sent for sent in server.sent if isinstance(sent, AuthError | FatalError)]
    assert last_words == ([] if not last_words else [server.sent[-1]])
    assert not last_words or server.core.closing is not None


def test_a_good_conversation_is_answered_in_full() -> None:
    server = Server()
    for message in MESSAGES:
        server.receive(message)
        server.run(True)
        server.run(True)
    assert server.core.closing is None
    kinds = [type(sent).__name__ for sent in server.sent]
    assert kinds.count("MutationResponse") == kinds.count("ActionResponse") == 1
    assert kinds.count("Transition") >= 6


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (Connect("no-uuid", 0, None, None), "UUID"),
        (Connect(SESSION, 0, None, format_timestamp(2**63)), "out of range"),
        (Authenticate(0, "Robot", "x"), "none of User"),
        (Authenticate(0, "User"), "needs a value"),
    ],
)
def test_what_the_types_leave_open_is_refused(message: ClientMessage, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(message)


def test_what_is_right_passes() -> None:
    check(Connect(SESSION, 0, None, format_timestamp(2**63 - 1)))
    check(Authenticate(0, "None"))
