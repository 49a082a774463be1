"""Mutations and actions from the call to the answer."""

import pytest

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.events import RequestSettled, ResultsChanged
from convex_async.protocol.client.requests import WINDOW, RequestId, RequestKind, Requests
from convex_async.protocol.messages import Action, Authenticate, ClientMessage, Mutation
from convex_async.protocol.results import Failed, Lost, Succeeded
from tests.protocol.client.test_client_protocol import ALICE, BOB, SEND, Session, settled
from tests.protocol.wire import succeeded, updated

PATH = FunctionPath("a:b")
DONE = Succeeded(b"1", [])


def add(requests: Requests, kind: RequestKind = "mutation", epoch: int = 0) -> RequestId:
    return requests.add(kind, PATH, b"{}", epoch).request_id


def sent(requests: Requests, epoch: int = 0) -> list[int]:
    return [message.request_id for message in requests.drain(epoch)]


def test_ids_are_shared_by_both_kinds_and_never_used_again() -> None:
    requests = Requests()
    assert [add(requests), add(requests, "action"), add(requests)] == [0, 1, 2]
    requests.withdraw(RequestId(2))
    assert add(requests) == 3


def test_the_window_holds_back_and_opens_with_each_answer() -> None:
    requests = Requests()
    for _ in range(WINDOW + 2):
        add(requests)
    assert sent(requests) == list(range(WINDOW))
    assert not requests.wants_to_send
    requests.answered("mutation", 0, DONE, 5, reached=9)
    assert sent(requests) == [WINDOW]


def test_a_success_settles_when_a_transition_reaches_it() -> None:
    requests = Requests()
    request_id = add(requests)
    sent(requests)
    assert requests.answered("mutation", request_id, DONE, 10, reached=9) is None
    assert requests.reached(9) == []
    assert [request.request_id for request, _ in requests.reached(10)] == [request_id]
    assert len(requests) == 0


def test_a_success_that_a_transition_showed_before_settles_at_once() -> None:
    requests = Requests()
    request_id = add(requests)
    sent(requests)
    assert requests.answered("mutation", request_id, DONE, 10, reached=10) is not None


def test_failures_and_actions_settle_at_once() -> None:
    requests = Requests()
    mutation, action = add(requests), add(requests, "action")
    sent(requests)
    failure = Failed("no", None, [])
    assert requests.answered("mutation", mutation, failure, None, reached=0) is not None
    assert requests.answered("action", action, DONE, None, reached=0) is not None


def test_unknown_repeated_and_mismatched_answers_are_ignored() -> None:
    requests = Requests()
    request_id = add(requests)
    sent(requests)
    assert requests.answered("mutation", 99, DONE, 1, reached=9) is None
    assert requests.answered("action", request_id, DONE, None, reached=9) is None
    requests.answered("mutation", request_id, DONE, 10, reached=9)
    assert requests.answered("mutation", request_id, Succeeded(b"2", []), 5, reached=9) is None
    assert requests.reached(10)[0][1] == DONE


def test_a_lost_socket_requeues_mutations_in_order_and_loses_sent_actions() -> None:
    requests = Requests()
    first, action = add(requests), add(requests, "action")
    sent(requests)
    later, unsent_action = add(requests), add(requests, "action")
    lost = requests.disconnected()
    assert [request.request_id for request in lost] == [action]
    assert sent(requests) == [first, later, unsent_action]


def test_a_completed_mutation_is_not_sent_again() -> None:
    requests = Requests()
    request_id = add(requests)
    sent(requests)
    requests.answered("mutation", request_id, DONE, 10, reached=9)
    requests.disconnected()
    assert sent(requests) == []
    assert len(requests.reached(10)) == 1


def test_withdrawing_tells_what_is_known() -> None:
    requests = Requests()
    unsent, on_wire = add(requests), add(requests)
    assert requests.withdraw(unsent) == "not_sent"
    assert sent(requests) == [on_wire]
    assert requests.withdraw(on_wire) == "unknown"
    assert requests.withdraw(on_wire) is None
    assert requests.withdraw(unsent) is None
    requests.disconnected()
    assert sent(requests) == []


def test_a_mutation_withdrawn_between_two_sockets_is_not_sent_again() -> None:
    requests = Requests()
    request_id = add(requests)
    sent(requests)
    requests.disconnected()
    assert requests.withdraw(request_id) == "unknown"
    assert sent(requests) == []
    assert len(requests) == 0


def test_an_abandoned_request_keeps_its_place_in_the_window() -> None:
    requests = Requests()
    for _ in range(WINDOW):
        add(requests)
    sent(requests)
    requests.withdraw(RequestId(0))
    add(requests)
    assert sent(requests) == []
    assert requests.answered("mutation", 0, DONE, 1, reached=9) is None
    assert sent(requests) == [WINDOW]


def test_requests_of_one_identity_wait_for_those_before() -> None:
    requests = Requests()
    old, new = add(requests, epoch=0), add(requests, epoch=1)
    assert requests.first_queued_epoch() == 0
    assert sent(requests, epoch=1) == []
    assert sent(requests, epoch=0) == [old]
    assert sent(requests, epoch=1) == [new]


def test_abandoning_tells_of_each_request() -> None:
    requests = Requests()
    first = add(requests, epoch=0)
    sent(requests)
    second, third = add(requests, epoch=0), add(requests, epoch=1)
    assert requests.abandon(range(1)) == [(first, "unknown"), (second, "not_sent")]
    assert sent(requests, epoch=1) == [third]


def test_what_an_earlier_process_asked_goes_out_in_its_place() -> None:
    requests = Requests()
    requests.add("mutation", PATH, b"{}", 0, RequestId(1000))
    requests.add("mutation", PATH, b"{}", 1, RequestId(1001))
    for request_id in (RequestId(8), RequestId(7)):
        requests.restore(request_id, PATH, b"{}", 1)
    known = dict(requests.pending())
    assert list(known) == [7, 8, 1000, 1001]
    assert list(known.values()) == ["unknown", "unknown", "not_sent", "not_sent"]
    assert sent(requests, 0) == [1000]  # as the earlier user
    assert sent(requests, 1) == [7, 8, 1001]
    requests.disconnected()
    assert requests.first_queued_epoch() == 0
    assert add(requests) == 1002


def test_a_reconnect_sends_what_was_restored_before_what_came_later() -> None:
    requests = Requests()
    requests.add("mutation", PATH, b"{}", 0, RequestId(1000))
    requests.restore(RequestId(7), PATH, b"{}", 0)
    assert sent(requests) == [7, 1000]
    requests.disconnected()
    assert sent(requests) == [7, 1000]


def drained(requests: Requests) -> list[int]:
    return [message.request_id for message in requests.drain(0)]


def test_after_a_close_for_size_all_goes_one_by_one_until_it_is_known_which() -> None:
    requests = Requests()
    first, second, third = add(requests), add(requests), add(requests)
    assert drained(requests) == [first, second, third]
    later = add(requests)
    assert requests.closed_for_size() is None
    requests.disconnected()
    assert drained(requests) == [first]
    assert not requests.wants_to_send
    requests.answered("mutation", first, Succeeded(b"1"), None, reached=0)
    assert drained(requests) == [second]
    assert requests.closed_for_size() is None  # the first time alone
    requests.disconnected()
    assert drained(requests) == [second]
    culprit = requests.closed_for_size()
    assert culprit is not None
    assert culprit.request_id == second
    requests.disconnected()
    assert drained(requests) == [third]
    requests.answered("mutation", third, Succeeded(b"1"), None, reached=0)
    further = add(requests)
    assert drained(requests) == [later, further]  # as ever again


def test_a_close_for_size_is_not_the_fault_of_who_was_alone_once() -> None:
    requests = Requests()
    first = add(requests)
    assert drained(requests) == [first]
    assert requests.closed_for_size() is None
    requests.disconnected()
    assert drained(requests) == [first]
    requests.answered("mutation", first, Succeeded(b"1"), None, reached=0)
    second = add(requests)
    assert drained(requests) == [second]
    assert requests.closed_for_size() is None


def test_what_was_given_up_and_is_too_large_is_told_to_nobody() -> None:
    requests = Requests()
    first = add(requests)
    for _ in range(2):
        assert drained(requests) == [first]
        requests.withdraw(first)
        assert requests.closed_for_size() is None
        requests.disconnected()
        first = add(requests)
    requests.withdraw(first)
    assert len(requests) == 0


def test_nothing_is_left_of_what_was_given_up_once_it_is_answered_or_cut() -> None:
    requests = Requests()
    answered, cut = add(requests), add(requests, "action")
    drained(requests)
    assert requests.withdraw(answered) == requests.withdraw(cut) == "unknown"
    assert len(requests) == 2  # they have their places in the server's queue
    assert requests.answered("mutation", answered, DONE, 9, reached=0) is None
    assert len(requests) == 1
    assert requests.disconnected() == []
    assert len(requests) == 0


@pytest.mark.trap(9)
def test_a_mutation_settles_by_its_transition_not_its_response(session: Session) -> None:
    """Who awaited a mutation reads its effect: the results come first."""
    session.subscribe(PATH, "m")
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(succeeded(0, b"1", ts=10)) == []
    assert session.receive(session.server.transition(ts=9, query_set=1)) == []
    events = session.receive(session.server.transition(updated(0, b"[1]"), ts=10))
    assert [type(event) for event in events] == [ResultsChanged, RequestSettled]


@pytest.mark.trap(10)
def test_a_transition_may_come_before_the_response(session: Session) -> None:
    """A response whose commit is visible already settles at once; no transition will follow."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    assert session.receive(session.server.transition(ts=11)) == []
    assert settled(session.receive(succeeded(0, b"1", ts=10))) == {0: Succeeded(b"1", [])}


def ids(messages: list[ClientMessage]) -> list[int]:
    return [m.request_id for m in messages if isinstance(m, Mutation | Action)]


@pytest.mark.trap(12)
def test_only_actions_that_were_never_sent_are_sent_on_the_next_socket(
    session: Session,
) -> None:
    """An action may have run: a sent one is lost with its socket, and not sent again."""
    sent = session.core.action(SEND, b"{}")
    session.connect()
    unsent = session.core.action(SEND, b"{}")
    assert settled(session.drop("gone")) == {sent: Lost("gone")}
    assert ids(session.connect()) == [unsent]


@pytest.mark.trap(13)
def test_mutations_outlive_their_socket_in_order(session: Session) -> None:
    """Pending mutations are kept and sent again; their callers do not hear of the reconnect."""
    session.connect()
    for _ in range(3):
        session.core.mutation(SEND, b"{}")
        session.core.messages_to_send()
    session.core.mutation(SEND, b"{}")
    assert session.drop() == []
    assert ids(session.connect()) == [0, 1, 2, 3]


# A socket with more unanswered requests than this is closed by the deployment.
SERVER_LIMIT = 1000


@pytest.mark.trap(39)
def test_a_long_queue_is_sent_in_windows(session: Session) -> None:
    """More unanswered requests than the deployment bears would close each new socket again."""
    for _ in range(3 * SERVER_LIMIT):
        session.core.mutation(SEND, b"{}")
    first = ids(session.connect())
    assert 0 < len(first) < SERVER_LIMIT
    session.drop()
    assert ids(session.connect()) == first
    session.receive(*(succeeded(n, b"1", ts=10) for n in first))
    assert ids(session.core.messages_to_send()) == [n + len(first) for n in first]


@pytest.mark.trap(42)
def test_pending_mutations_run_as_the_user_who_made_them(session: Session) -> None:
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


@pytest.mark.trap(22)
@pytest.mark.parametrize("response_first", [True, False])
def test_times_are_compared_as_integers(session: Session, response_first: bool) -> None:
    """A transition at 1 does not show a commit at 256, whose text is the smaller."""
    session.core.mutation(SEND, b"{}")
    session.connect()
    messages = [succeeded(0, b"1", ts=256), session.server.transition(ts=1)]
    assert session.receive(*(messages if response_first else reversed(messages))) == []
    assert list(settled(session.receive(session.server.transition(ts=256)))) == [0]
