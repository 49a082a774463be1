"""The client core against the server core, without a socket: whatever happens in between, nothing
is lost, nothing applied twice, nothing shown that is stale or repeated, nothing left behind."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Offline, Online
from convex_async.protocol.client.events import (
    CloseConnection,
    RequestSettled,
    RequestsRefused,
    ResultsChanged,
)
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.protocol.client.overlay import OptimisticUpdate, Overlay
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.client.requests import RequestId
from convex_async.protocol.messages import (
    ActionResponse,
    ClientMessage,
    MutationResponse,
    ServerMessage,
)
from convex_async.protocol.results import FunctionResult, Lost, Succeeded
from convex_async.protocol.server.server_protocol import ServerProtocol
from convex_async.protocol.server.work import RunAction, RunMutation, RunQueries, Verify, Work
from tests.soak import SOAK

GET, ADD = FunctionPath("counter:get"), FunctionPath("counter:add")
SESSION = "5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11"
COUNTERS = st.integers(0, 3)
USERS = (ANONYMOUS, Credential("User", "ada"), Credential("User", "bob"))


def arguments(counter: int) -> bytes:
    return b'{"counter":%d}' % counter


def counter_of(args: msgspec.Raw) -> int:
    return int(msgspec.json.decode(args, type=list[dict[str, int]])[0]["counter"])


def one_more(counter: int) -> OptimisticUpdate:
    """What is expected of adding to a counter."""

    def update(overlay: Overlay) -> None:
        shown = overlay.get(GET, arguments(counter))
        if shown is not None:
            count, user = msgspec.json.decode(shown)
            overlay.set(GET, arguments(counter), msgspec.json.encode([count + 1, user]))

    return update


class Mailbox:
    """What one subscriber was shown."""

    def __init__(self, counter: int) -> None:
        self.counter = counter
        self.shown: list[tuple[int, bytes]] = []


class Deployment:
    """Counters that belong to nobody; a query tells the counter and who asks."""

    def __init__(self) -> None:
        self.ts = 1000
        self.counters: Counter[int] = Counter()
        self.answers: dict[tuple[str, int], tuple[FunctionResult, int]] = {}
        self.applied: Counter[tuple[str, int]] = Counter()
        self.ran_as: dict[int, object] = {}

    def add(self, counter: int) -> int:
        self.ts += 10
        self.counters[counter] += 1
        return self.ts

    def mutate(
        self, session: str, request_id: int, counter: int, user: object
    ) -> tuple[FunctionResult, int]:
        key = (session, request_id)
        if key not in self.answers:
            ts = self.add(counter)
            self.applied[key] += 1
            self.ran_as[request_id] = user
            self.answers[key] = Succeeded(b"%d" % self.counters[counter]), ts
        return self.answers[key]

    def get(self, counter: int, user: object) -> bytes:
        return msgspec.json.encode([self.counters[counter], user])


class Conversation(RuleBasedStateMachine):
    """Both ends, the wire between them, and everything that can go wrong on it."""

    def __init__(self) -> None:
        super().__init__()
        self.core = ClientProtocol[Mailbox](session_id=SESSION)
        self.deployment = Deployment()
        self.now = 0.0
        self.server: ServerProtocol[Any] | None = None
        self.to_server: deque[ClientMessage] = deque()
        self.to_client: deque[ServerMessage] = deque()
        self.late_answers: list[ServerMessage] = []
        self.work: deque[Work[Any]] = deque()
        self.live: list[Subscriber[Mailbox]] = []
        self.waiting: dict[RequestId, tuple[str, int]] = {}
        self.made_as: dict[int, object] = {}
        self.settled: Counter[int] = Counter()
        self.succeeded: set[int] = set()
        self.user = 0

    # What users do

    @rule(counter=COUNTERS, fresh=st.booleans())
    def subscribe(self, counter: int, fresh: bool) -> None:
        mailbox = Mailbox(counter)
        subscriber, result = self.core.subscribe(GET, arguments(counter), mailbox, fresh=fresh)
        if isinstance(result, Succeeded):
            mailbox.shown.append((self.core.ts, result.value))
        self.live.append(subscriber)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 100))
    def unsubscribe(self, which: int) -> None:
        self.core.unsubscribe(self.live.pop(which % len(self.live)), now=self.now)

    @rule(counter=COUNTERS, kind=st.sampled_from(["mutation", "expected", "action"]))
    def request(self, counter: int, kind: str) -> None:
        if kind == "action":
            request_id = self.core.action(ADD, arguments(counter))
        else:
            update = one_more(counter) if kind == "expected" else None
            request_id = self.core.mutation(ADD, arguments(counter), update=update)
        self.waiting[request_id] = (kind, counter)
        self.made_as[request_id] = USERS[self.user].value

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100))
    def withdraw(self, which: int) -> None:
        request_id = sorted(self.waiting)[which % len(self.waiting)]
        del self.waiting[request_id]
        if self.core.withdraw(request_id) == "not_sent":
            assert (SESSION, request_id) not in self.deployment.answers

    @rule(user=st.integers(0, len(USERS) - 1))
    def switch_user(self, user: int) -> None:
        self.user = user
        self.core.set_identity(USERS[user], now=self.now)

    # What the wire and the deployment do

    @rule()
    def client_sends(self) -> None:
        self.to_server += self.core.messages_to_send()

    @rule()
    def client_sends_a_request_alone(self) -> None:
        if (message := self.core.lone_message()) is not None:
            self.to_server.append(message)

    @precondition(lambda self: self.to_server and self.server)
    @rule()
    def deliver_to_server(self) -> None:
        assert self.server is not None
        self.server.received(self.to_server.popleft(), now=self.now, ts=self.deployment.ts)
        self.work += self.server.work(now=self.now)

    @precondition(lambda self: self.work)
    @rule(which=st.integers(0, 100))
    def do_work(self, which: int) -> None:
        assert self.server is not None
        work = self.work[which % len(self.work)]
        self.work.remove(work)
        deployment = self.deployment
        match work:
            case Verify(message):
                self.server.verified(message.value, expires_at=None, now=self.now, ts=deployment.ts)
            case RunMutation(message, user):
                counter = counter_of(message.args)
                outcome, ts = deployment.mutate(SESSION, message.request_id, counter, user)
                self.server.mutation_done(outcome, ts)
                self.invalidate(counter)
            case RunAction(message, _):
                self.server.action_done(message.request_id, Succeeded(b"null"))
            case RunQueries(queries, _, user):
                values: dict[int, FunctionResult] = {
                    query.query_id: Succeeded(deployment.get(counter_of(query.args), user))
                    for query in queries
                }
                self.server.queries_done(deployment.ts, values)
        self.work += self.server.work(now=self.now)

    def invalidate(self, counter: int) -> None:
        if self.server is not None:
            for query in list(self.server._queries.values()):
                if counter_of(query.args) == counter:
                    self.server.invalidated(query.query_id)
            self.work += self.server.work(now=self.now)

    @rule(counter=COUNTERS)
    def another_client_writes(self, counter: int) -> None:
        self.deployment.add(counter)
        self.invalidate(counter)

    @precondition(lambda self: self.server)
    @rule(twice=st.booleans(), transitions_first=st.booleans())
    def server_sends(self, twice: bool, transitions_first: bool) -> None:
        assert self.server is not None
        answers = (MutationResponse, ActionResponse)
        messages = self.late_answers + self.server.messages_to_send()
        self.late_answers = []
        if twice:
            messages = [m for each in messages for m in [each] * (1 + isinstance(each, answers))]
        if transitions_first:
            self.late_answers = [each for each in messages if isinstance(each, answers)]
            messages = [each for each in messages if not isinstance(each, answers)]
        self.to_client += messages
        self.work += self.server.work(now=self.now)

    @precondition(lambda self: self.to_client)
    @rule()
    def deliver_to_client(self) -> None:
        self.core.received(self.to_client.popleft(), now=self.now)

    @precondition(lambda self: self.server)
    @rule()
    def drop(self) -> None:
        self.server = None
        self.to_server.clear()
        self.to_client.clear()
        self.late_answers.clear()
        self.work.clear()
        self.core.disconnected("dropped", now=self.now, jitter=0.5)

    @precondition(lambda self: not self.server and isinstance(self.core.connection, Offline))
    @rule()
    def connect(self) -> None:
        self.server = ServerProtocol[Any]()
        self.now += 1
        self.core.connected(now=self.now)

    @precondition(lambda self: self.server)
    @rule()
    def everything_arrives(self) -> None:
        self.run_until_quiet()

    # What has to hold

    @invariant()
    def events_are_sound(self) -> None:
        for event in self.core.events():
            match event:
                case ResultsChanged(ts, deliveries):
                    for subscriber, result in deliveries:
                        self.show(subscriber, result, ts)
                case RequestSettled(request_id, answer):
                    self.settle(request_id, answer)
                case CloseConnection(reason):
                    raise AssertionError(f"a sound server was called broken: {reason}")
                case RequestsRefused(abandoned=abandoned):
                    assert not abandoned
                case _:
                    pass

    def show(self, subscriber: Subscriber[Mailbox], result: Any, ts: int) -> None:
        assert subscriber in self.live, "shown after it left"
        mailbox = subscriber.mailbox
        if mailbox.shown:
            last_ts, last_value = mailbox.shown[-1]
            assert ts >= last_ts, "time went back"
            assert result.value != last_value, "an equal result was shown again"
        mailbox.shown.append((ts, result.value))

    def settle(self, request_id: RequestId, answer: object) -> None:
        if request_id not in self.waiting:
            return
        kind, _ = self.waiting.pop(request_id)
        self.settled[request_id] += 1
        assert self.settled[request_id] == 1, "settled twice"
        if kind == "action":
            assert isinstance(answer, Succeeded | Lost)
        else:
            assert isinstance(answer, Succeeded)
            self.succeeded.add(request_id)

    @invariant()
    def no_mutation_runs_twice_or_as_somebody_else(self) -> None:
        assert all(times == 1 for times in self.deployment.applied.values())
        for request_id, user in self.deployment.ran_as.items():
            assert user == self.made_as[request_id]
        for request_id in self.succeeded:
            assert self.deployment.applied[SESSION, request_id] == 1

    def teardown(self) -> None:
        """After quiet both ends agree, everything is settled, and nothing is left behind."""
        if not self.server and isinstance(self.core.connection, Offline):
            self.connect()
        self.run_until_quiet()
        assert isinstance(self.core.connection, Online)
        assert self.waiting == {}
        for subscriber in self.live:
            mailbox = subscriber.mailbox
            now = self.deployment.get(mailbox.counter, USERS[self.user].value)
            assert mailbox.shown[-1][1] == now
        for subscriber in self.live:
            self.core.unsubscribe(subscriber, now=self.now)
        self.live = []
        self.run_until_quiet()
        assert self.server is not None
        assert self.server._queries == {}
        assert self.core.pending_requests == []
        assert self.core._view._overlay._updates == {}
        assert list(self.core._requests) == []  # also of what was withdrawn
        assert self.core._link.outstanding == set()
        assert list(self.core.subscribers()) == []

    def run_until_quiet(self) -> None:
        for _ in range(1000):
            self.client_sends()
            is_quiet = not self.to_server
            while self.to_server:
                self.deliver_to_server()
            while self.work:
                self.do_work(0)
            self.server_sends(False, False)
            is_quiet = is_quiet and not self.to_client and not self.work
            while self.to_client:
                self.deliver_to_client()
            self.events_are_sound()
            if is_quiet:
                return
        raise AssertionError("the two never come to rest")


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=1500 * SOAK,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
)
