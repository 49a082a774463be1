"""The same conversation with tokens that are fetched, late, refused and fetched again."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from convex_async.protocol.client.connection import Halted
from convex_async.protocol.client.events import (
    CloseConnection,
    IdentityRefused,
    RequestSettled,
    RequestsRefused,
    ResultsChanged,
    TokenNeeded,
)
from convex_async.protocol.client.identity import Credential, Refused, Waiting
from convex_async.protocol.client.requests import RequestId
from convex_async.protocol.messages import AuthError, Connect
from convex_async.protocol.server.work import Verify, Work
from tests.protocol.test_conversation import COUNTERS, SESSION, USERS, Conversation
from tests.soak import SOAK


def can_be_refused(work: Work[Any]) -> bool:
    """Whether it is a token: nobody is refused for being anonymous."""
    return isinstance(work, Verify) and work.message.token_type != "None"


class IdentityConversation(Conversation):
    """Users whose tokens are not always there, and not always taken."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0
        self.name = "None"
        self.refusable = False
        self.is_cut = False
        self.is_resting = False

    @rule(name=st.sampled_from(["cyd", "dee"]))
    def log_in_with_a_fetcher(self, name: str) -> None:
        self.name, self.refusable = name, True
        self.core.set_identity(None, now=self.now, refreshable=True)

    @precondition(lambda self: self.refusable and isinstance(self.core.identity.state, Waiting))
    @rule()
    def fetch(self) -> None:
        self.fetched += 1
        token = Credential("User", f"{self.name} {self.fetched}")
        self.core.provide_token(token, now=self.now)

    @rule(user=st.integers(0, 2))
    def switch_user(self, user: int) -> None:
        self.name, self.refusable = str(USERS[user].value), False
        super().switch_user(user)

    @precondition(lambda self: any(map(can_be_refused, self.work)))
    @rule()
    def refuse(self) -> None:
        assert self.server is not None
        self.work.remove(next(filter(can_be_refused, self.work)))
        self.server.refused("Unauthenticated")

    @rule(counter=COUNTERS, kind=st.sampled_from(["mutation", "mutation", "action"]))
    def request(self, counter: int, kind: str) -> None:
        super().request(counter, kind)
        self.made_as[max(self.made_as)] = self.name

    @rule()
    def client_sends(self) -> None:
        messages = self.core.messages_to_send()
        if isinstance(self.core.identity.state, Waiting | Refused):
            assert all(isinstance(message, Connect) for message in messages)
        self.to_server += messages

    @precondition(lambda self: self.to_client)
    @rule()
    def deliver_to_client(self) -> None:
        # The deployment closes the socket behind an AuthError, whatever the client makes of it.
        self.is_cut = isinstance(self.to_client[0], AuthError)
        super().deliver_to_client()
        if self.is_cut:
            self.to_client.clear()

    @invariant()
    def events_are_sound(self) -> None:
        for event in self.core.events():
            match event:
                case ResultsChanged(ts, deliveries):
                    for subscriber, result in deliveries:
                        self.show(subscriber, result, ts)
                case RequestSettled(request_id, answer):
                    self.settle(request_id, answer)
                case RequestsRefused(abandoned=abandoned) | IdentityRefused(abandoned=abandoned):
                    for request_id, outcome in abandoned:
                        self.abandon(request_id, outcome)
                case CloseConnection(reason):
                    assert reason == "AuthError"
                    self.is_cut = True
                case TokenNeeded():
                    assert self.refusable
                case _:
                    pass
        if self.is_cut and self.server:
            self.drop()
            if self.is_resting:
                self.connect()
        self.is_cut = False

    def abandon(self, request_id: RequestId, outcome: str) -> None:
        self.waiting.pop(request_id, None)
        if outcome == "not_sent":
            assert (SESSION, request_id) not in self.deployment.answers, "ran, though never sent"

    @invariant()
    def no_mutation_runs_twice_or_as_somebody_else(self) -> None:
        assert all(times == 1 for times in self.deployment.applied.values())
        for request_id, token in self.deployment.ran_as.items():
            assert str(token).partition(" ")[0] == self.made_as[request_id]

    @invariant()
    def the_session_goes_on(self) -> None:
        assert not isinstance(self.core.connection, Halted)

    def run_until_quiet(self) -> None:
        """A refusal cuts the socket: on the way to rest another one follows it."""
        self.is_resting = True
        super().run_until_quiet()
        self.is_resting = False

    def teardown(self) -> None:
        """A user whom the deployment takes makes all well again."""
        self.switch_user(0)
        super().teardown()


TestIdentityConversation = IdentityConversation.TestCase
TestIdentityConversation.settings = settings(
    max_examples=1000 * SOAK,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
)
