"""The deployment's end of one socket: what it answers, what work it asks for, when it gives up."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from msgspec import Raw

from convex_async.protocol.messages import (
    ABSENT,
    INITIAL_VERSION,
    Action,
    ActionResponse,
    Add,
    Authenticate,
    AuthError,
    Connect,
    FatalError,
    ModifyQuerySet,
    Mutation,
    MutationResponse,
    QueryFailed,
    QueryRemoved,
    QueryUpdated,
    Remove,
    Transition,
    format_timestamp,
)
from convex_async.protocol.results import Failed, FunctionResult, Succeeded
from convex_async.protocol.server.server_protocol import (
    MAX_QUEUED_MUTATIONS,
    MAX_RUNNING_ACTIONS,
    MAX_UNSENT_TRANSITIONS,
    ServerProtocol,
)
from convex_async.protocol.server.work import (
    Close,
    RunAction,
    RunMutation,
    RunQueries,
    Verify,
    Work,
)
from tests.protocol.wire import action_succeeded, mutation_failed, succeeded, version

NOW = 1000.0
TS = 50
ARGS = Raw(b"[{}]")
SESSION = "5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11"
W = TypeVar("W", bound=Work[Any])


class Socket:
    """A server core with the clock and the latest commit, so that a test says only what comes."""

    def __init__(self) -> None:
        self.core = ServerProtocol[Any]()
        self.now = NOW
        self.query_set = 0

    def receive(self, message: Connect | Authenticate | ModifyQuerySet | Mutation | Action) -> None:
        self.core.received(message, now=self.now, ts=TS)

    def modify(self, *changes: Add | Remove) -> None:
        base, self.query_set = self.query_set, self.query_set + 1
        self.receive(ModifyQuerySet(base, self.query_set, list(changes)))

    def work(self) -> list[Work[Any]]:
        return self.core.work(now=self.now)

    def only(self, kind: type[W]) -> W:
        """The one piece of work that is due."""
        (work,) = self.work()
        assert isinstance(work, kind)
        return work

    def answer(self, ts: int, **outcomes: FunctionResult) -> Transition:
        """Do the queries that are due, `q1` being query 1, and take the one message of it."""
        assert {f"q{query.query_id}" for query in self.only(RunQueries).queries} == set(outcomes)
        self.core.queries_done(ts, {int(name[1:]): each for name, each in outcomes.items()})
        (message,) = self.core.messages_to_send()
        assert isinstance(message, Transition)
        return message

    def sign_in(self, identity: object, base: int = 0, expires_at: float | None = None) -> None:
        self.receive(Authenticate(base, "User", "token"))
        assert self.only(Verify).message.value == "token"
        self.core.verified(identity, expires_at=expires_at, now=self.now, ts=TS)


@pytest.fixture
def socket() -> Socket:
    return Socket()


def add(query_id: int, journal: str | None = None) -> Add:
    return Add(query_id, "notes:list", ARGS, journal)


# Versions


def test_each_transition_starts_where_the_last_ended(socket: Socket) -> None:
    socket.modify(add(1))
    first = socket.answer(60, q1=Succeeded(b"1"))
    assert (first.start_version, first.end_version) == (INITIAL_VERSION, version(1, 0, 60))
    socket.sign_in("ada")
    second = socket.answer(70, q1=Succeeded(b"2"))
    assert (second.start_version, second.end_version) == (version(1, 0, 60), version(1, 1, 70))
    socket.core.invalidated(1)
    third = socket.answer(80, q1=Succeeded(b"3"))
    assert (third.start_version, third.end_version) == (version(1, 1, 70), version(1, 1, 80))


def test_versions_that_change_while_queries_run_belong_to_the_next_transition(
    socket: Socket,
) -> None:
    socket.modify(add(1))
    socket.only(RunQueries)
    socket.modify(add(2))
    assert socket.work() == []
    socket.core.queries_done(60, {1: Succeeded(b"1")})
    (first,) = socket.core.messages_to_send()
    assert isinstance(first, Transition)
    assert first.end_version == version(1, 0, 60)
    second = socket.answer(61, q2=Succeeded(b"2"))
    assert (second.start_version, second.end_version) == (version(1, 0, 60), version(2, 0, 61))


@pytest.mark.parametrize("base", [0, 2])
def test_a_wrong_base_version_of_the_query_set_is_fatal(socket: Socket, base: int) -> None:
    socket.modify(add(1))
    socket.receive(ModifyQuerySet(base, base + 1, [add(2)]))
    (message,) = socket.core.messages_to_send()
    assert isinstance(message, FatalError)
    assert message.error.startswith("Base version ")
    assert socket.core.closing == Close(None, "")
    assert socket.work() == []


def test_a_query_set_version_that_does_not_grow_ends_the_socket(socket: Socket) -> None:
    socket.receive(ModifyQuerySet(0, 0, []))
    assert socket.core.closing == Close(1011, "InternalServerError")


def test_a_wrong_base_version_of_the_identity_ends_the_socket(socket: Socket) -> None:
    socket.sign_in("ada", base=1)
    assert socket.core.closing == Close(1011, "InternalServerError")


@pytest.mark.parametrize("changes", [[add(1), add(1)], [Remove(1)]], ids=["added", "removed"])
def test_a_query_id_added_twice_or_never_ends_the_socket(
    socket: Socket, changes: list[Add | Remove]
) -> None:
    socket.modify(*changes)
    assert socket.work() == []
    assert socket.core.closing == Close(1011, "InternalServerError")


@pytest.mark.parametrize(
    ("observed", "closing"), [(TS, None), (TS + 1, Close(1011, "InternalServerError"))]
)
def test_a_client_from_the_future_is_of_another_deployment(
    socket: Socket, observed: int, closing: Close | None
) -> None:
    socket.receive(Connect(SESSION, 0, None, format_timestamp(observed)))
    assert socket.core.session_id == SESSION
    assert socket.core.closing == closing


def test_a_transition_tells_how_far_the_clients_clock_is_ahead(socket: Socket) -> None:
    socket.receive(Connect(SESSION, 0, client_ts=int(NOW * 1000) + 250))
    socket.modify(add(1))
    assert socket.answer(60, q1=Succeeded(b"1")).client_clock_skew == 250


# Queries


def test_all_that_came_before_the_queries_run_is_one_transition(socket: Socket) -> None:
    for query_id in range(3):
        socket.modify(add(query_id))
    transition = socket.answer(60, q0=Succeeded(b"0"), q1=Succeeded(b"1"), q2=Succeeded(b"2"))
    assert [change.query_id for change in transition.modifications] == [0, 1, 2]
    assert transition.end_version == version(3, 0, 60)


def test_commits_during_a_run_are_one_more_run(socket: Socket) -> None:
    socket.modify(add(1), add(2))
    socket.only(RunQueries)
    for _ in range(5):
        socket.core.invalidated(1)
    assert socket.work() == []
    socket.core.queries_done(60, {1: Succeeded(b"1"), 2: Succeeded(b"2")})
    socket.core.messages_to_send()
    assert socket.answer(70, q1=Succeeded(b"3")).modifications == [QueryUpdated(1, Raw(b"3"))]
    assert socket.work() == []


def test_an_unchanged_result_is_left_out_but_time_goes_on(socket: Socket) -> None:
    socket.modify(add(1), add(2))
    socket.answer(60, q1=Succeeded(b"1"), q2=Failed("Oops", b'"data"'))
    socket.core.invalidated(1)
    socket.core.invalidated(2)
    same = socket.answer(70, q1=Succeeded(b"1"), q2=Failed("Oops", b'"data"'))
    assert (same.modifications, same.end_version) == ([], version(1, 0, 70))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Succeeded(b"1"), Succeeded(b"2")),
        (Succeeded(b"1"), Succeeded(b"1", ["a log line"])),
        (Succeeded(b"1"), Failed("1")),
        (Failed("1"), Succeeded(b"1")),
        (Failed("Oops"), Failed("Oops", b'""')),
        (Failed("Oops", b"1"), Failed("Oops", b"2")),
    ],
)
def test_every_difference_of_a_result_is_told(
    socket: Socket, before: FunctionResult, after: FunctionResult
) -> None:
    socket.modify(add(1))
    socket.answer(60, q1=before)
    socket.core.invalidated(1)
    assert len(socket.answer(70, q1=after).modifications) == 1


def test_a_failed_query_has_its_data_only_if_it_was_thrown_with_some(socket: Socket) -> None:
    socket.modify(add(1), add(2))
    transition = socket.answer(60, q1=Failed("Server Error"), q2=Failed("Full", b'{"code":1}'))
    assert transition.modifications == [
        QueryFailed(1, "Server Error", [], None, ABSENT),
        QueryFailed(2, "Full", [], None, Raw(b'{"code":1}')),
    ]


def test_a_removed_query_is_told_and_forgotten(socket: Socket) -> None:
    socket.modify(add(1), add(2))
    socket.answer(60, q1=Succeeded(b"1"), q2=Succeeded(b"2"))
    socket.modify(Remove(1))
    work = socket.only(RunQueries)
    assert (work.queries, work.removed) == ([], [1])
    socket.core.queries_done(70, {})
    (message,) = socket.core.messages_to_send()
    assert isinstance(message, Transition)
    assert message.modifications == [QueryRemoved(1)]
    socket.core.invalidated(1)
    assert socket.work() == []
    socket.core.invalidated(2)
    assert socket.answer(80, q2=Succeeded(b"3")).modifications == [QueryUpdated(2, Raw(b"3"))]


def test_changes_are_in_the_order_of_their_ids(socket: Socket) -> None:
    socket.modify(add(2))
    socket.answer(60, q2=Succeeded(b"2"))
    socket.modify(Remove(2), add(1), add(3))
    transition = socket.answer(70, q3=Succeeded(b"3"), q1=Succeeded(b"1"))
    assert [change.query_id for change in transition.modifications] == [1, 2, 3]


def test_a_query_goes_on_from_its_journal(socket: Socket) -> None:
    socket.modify(add(1, journal="here"))
    (query,) = socket.only(RunQueries).queries
    assert query.journal == "here"
    socket.core.queries_done(60, {1: Succeeded(b"1")}, {1: "further"})
    (message,) = socket.core.messages_to_send()
    assert isinstance(message, Transition)
    assert message.modifications == [QueryUpdated(1, Raw(b"1"), [], "further")]
    socket.core.invalidated(1)
    (query,) = socket.only(RunQueries).queries
    assert query.journal == "further"


def test_a_slow_socket_gets_no_further_transitions(socket: Socket) -> None:
    socket.modify(add(1))
    for n in range(MAX_UNSENT_TRANSITIONS):
        socket.only(RunQueries)
        socket.core.queries_done(60 + n, {1: Succeeded(b"%d" % n)})
        socket.core.invalidated(1)
    assert socket.work() == []
    assert len(socket.core.messages_to_send()) == MAX_UNSENT_TRANSITIONS
    socket.only(RunQueries)


# Requests


def test_mutations_run_one_after_the_other_in_order(socket: Socket) -> None:
    for request_id in range(3):
        socket.receive(Mutation(request_id, "notes:add", ARGS))
    for request_id in range(3):
        runs = [work for work in socket.work() if isinstance(work, RunMutation)]
        assert [run.message.request_id for run in runs] == [request_id]
        assert [work for work in socket.work() if isinstance(work, RunMutation)] == []
        socket.core.mutation_done(Succeeded(b"%d" % request_id), 60 + request_id)
    assert socket.core.messages_to_send() == [
        succeeded(0, b"0", 60),
        succeeded(1, b"1", 61),
        succeeded(2, b"2", 62),
    ]


def test_a_mutation_is_followed_by_a_transition_even_if_it_changes_nothing(socket: Socket) -> None:
    socket.receive(Mutation(0, "notes:touch", ARGS))
    socket.only(RunMutation)
    socket.core.mutation_done(Succeeded(b"null"), 60)
    socket.only(RunQueries)
    socket.core.queries_done(61, {})
    response, transition = socket.core.messages_to_send()
    assert isinstance(response, MutationResponse)
    assert isinstance(transition, Transition)
    assert transition.end_version == version(0, 0, 61)


def test_a_failed_mutation_has_no_time(socket: Socket) -> None:
    socket.receive(Mutation(0, "notes:add", ARGS))
    socket.only(RunMutation)
    socket.core.mutation_done(Failed('Say "hi"', b"1"), None)
    assert socket.core.messages_to_send() == [mutation_failed(0, b'"Say \\"hi\\""', b"1")]


def test_actions_run_side_by_side_and_beside_mutations(socket: Socket) -> None:
    socket.receive(Mutation(0, "notes:add", ARGS))
    socket.receive(Action(1, "notes:echo", ARGS))
    socket.receive(Action(2, "notes:echo", ARGS))
    kinds = sorted(type(work).__name__ for work in socket.work())
    assert kinds == ["RunAction", "RunAction", "RunMutation"]
    socket.core.action_done(2, Succeeded(b"2"))
    socket.core.action_done(1, Failed("Oops"))
    assert socket.core.messages_to_send() == [
        action_succeeded(2, b"2"),
        ActionResponse(1, False, Raw(b'"Oops"'), []),
    ]


def test_an_action_is_followed_by_a_transition_too(socket: Socket) -> None:
    socket.receive(Action(0, "notes:echo", ARGS))
    socket.only(RunAction)
    socket.core.action_done(0, Succeeded(b"null"))
    assert socket.only(RunQueries).queries == []


# Identity


def test_what_comes_after_a_token_waits_until_it_is_verified(socket: Socket) -> None:
    socket.receive(Mutation(0, "notes:add", ARGS))
    socket.receive(Authenticate(0, "User", "token"))
    socket.receive(Mutation(1, "notes:add", ARGS))
    socket.receive(Action(2, "notes:echo", ARGS))
    before = socket.work()
    assert [type(work).__name__ for work in before] == ["Verify", "RunMutation"]
    socket.core.verified("ada", expires_at=None, now=NOW, ts=TS)
    socket.core.mutation_done(Succeeded(b"null"), 60)
    runs = [work for work in [*before, *socket.work()] if isinstance(work, RunMutation | RunAction)]
    told = {run.message.request_id: run.identity for run in runs}
    assert told == {0: None, 1: "ada", 2: "ada"}


def test_queries_do_not_run_as_the_old_identity_while_a_token_is_verified(socket: Socket) -> None:
    socket.modify(add(1))
    socket.receive(Authenticate(0, "User", "token"))
    socket.only(Verify)
    socket.core.invalidated(1)
    assert socket.work() == []
    socket.core.verified("ada", expires_at=None, now=NOW, ts=TS)
    assert socket.only(RunQueries).identity == "ada"


def test_another_identity_runs_every_query_again(socket: Socket) -> None:
    socket.modify(add(1), add(2))
    socket.answer(60, q1=Succeeded(b"1"), q2=Succeeded(b"2"))
    socket.sign_in("ada")
    work = socket.only(RunQueries)
    assert work.identity == "ada"
    assert [query.query_id for query in work.queries] == [1, 2]


def test_a_refused_token_is_an_answer_to_the_attempt(socket: Socket) -> None:
    socket.sign_in("ada")
    socket.only(RunQueries)
    socket.core.queries_done(60, {})
    socket.core.messages_to_send()
    socket.receive(Authenticate(1, "User", "other"))
    socket.only(Verify)
    socket.core.refused("Unauthenticated")
    assert socket.core.messages_to_send() == [AuthError("Unauthenticated", 1, True)]
    assert socket.core.closing == Close(None, "")
    socket.receive(Mutation(0, "notes:add", ARGS))
    assert socket.work() == []


@pytest.mark.parametrize("what", ["mutation", "action", "query"])
def test_an_expired_token_is_found_by_the_next_thing_that_would_run(
    socket: Socket, what: str
) -> None:
    socket.modify(add(1))
    socket.answer(60, q1=Succeeded(b"1"))
    socket.sign_in("ada", expires_at=NOW + 10)
    socket.answer(61, q1=Succeeded(b"1"))
    socket.now = NOW + 10
    match what:
        case "mutation":
            socket.receive(Mutation(0, "notes:add", ARGS))
        case "action":
            socket.receive(Action(0, "notes:echo", ARGS))
        case _:
            socket.core.invalidated(1)
    assert socket.work() == []
    (message,) = socket.core.messages_to_send()
    assert isinstance(message, AuthError)
    assert (message.base_version, message.auth_update_attempted) == (1, False)
    assert socket.core.closing == Close(None, "")


def test_a_token_is_good_until_the_moment_it_ends(socket: Socket) -> None:
    socket.sign_in("ada", expires_at=NOW + 10)
    socket.now = NOW + 9.9
    socket.receive(Mutation(0, "notes:add", ARGS))
    assert any(isinstance(work, RunMutation) for work in socket.work())
    assert socket.core.closing is None


# Limits and endings


def test_too_many_queued_mutations_end_the_socket(socket: Socket) -> None:
    for request_id in range(MAX_QUEUED_MUTATIONS):
        socket.receive(Mutation(request_id, "notes:add", ARGS))
    assert socket.core.closing is None
    socket.receive(Mutation(MAX_QUEUED_MUTATIONS, "notes:add", ARGS))
    assert socket.core.closing == Close(1013, "TooManyConcurrentMutations")


def test_too_many_running_actions_end_the_socket(socket: Socket) -> None:
    for request_id in range(MAX_RUNNING_ACTIONS + 1):
        socket.receive(Action(request_id, "notes:echo", ARGS))
    assert socket.core.closing is None
    socket.core.action_done(0, Succeeded(b"null"))
    socket.receive(Action(MAX_RUNNING_ACTIONS + 1, "notes:echo", ARGS))
    assert socket.core.closing is None
    socket.receive(Action(MAX_RUNNING_ACTIONS + 2, "notes:echo", ARGS))
    assert socket.core.closing == Close(1013, "TooManyInflightActionsForSingleClient")


def test_the_first_reason_to_end_stays(socket: Socket) -> None:
    socket.core.fail(1013, "Overloaded")
    socket.core.fatal("too late")
    socket.core.fail(1011, "InternalServerError")
    assert socket.core.closing == Close(1013, "Overloaded")
    assert socket.core.messages_to_send() == []


def test_work_that_is_done_after_the_end_is_not_told(socket: Socket) -> None:
    socket.modify(add(1))
    socket.receive(Mutation(0, "notes:add", ARGS))
    socket.receive(Action(1, "notes:echo", ARGS))
    assert len(socket.work()) == 3
    socket.core.fatal("broken")
    socket.core.queries_done(60, {1: Succeeded(b"1")})
    socket.core.mutation_done(Succeeded(b"null"), 60)
    socket.core.action_done(1, Succeeded(b"null"))
    assert socket.core.messages_to_send() == [FatalError("broken")]
