"""The client's end of the sync protocol: facts go in, messages, events and a deadline come out.

It never awaits, sleeps, reads a clock, rolls dice, opens a socket or logs: the driver does. After
any call, `messages_to_send`, `events` and `next_deadline` say what there is to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import eq
from typing import assert_never

import msgspec

from convex_async.errors import Outcome, RemoteProtocolError
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.backoff import backoff
from convex_async.protocol.client.connection import (
    INITIAL_REASON,
    Closing,
    Connection,
    Halted,
    Offline,
    Online,
)
from convex_async.protocol.client.events import (
    ClientEvent,
    CloseConnection,
    FunctionLogged,
    IdentityConfirmed,
    IdentityRefused,
    OptimisticUpdateFailed,
    RequestSettled,
    RequestsRefused,
    ResultsChanged,
    Stopped,
    TokenNeeded,
)
from convex_async.protocol.client.identity import ClientIdentity, Credential, Refused, Waiting
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.query_set import Query, QuerySet, Subscriber
from convex_async.protocol.client.remote import (
    RemoteState,
    StartVersionMismatch,
    Step,
    Update,
    Version,
    step_of,
)
from convex_async.protocol.client.requests import RequestId, RequestKind, Requests
from convex_async.protocol.client.view import Delivery, View
from convex_async.protocol.messages import (
    ActionResponse,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    MutationResponse,
    Ping,
    ServerMessage,
    Transition,
    TransitionChunk,
    format_timestamp,
    parse_timestamp,
)
from convex_async.protocol.results import (
    Failed,
    FunctionResult,
    Lost,
    Succeeded,
    present,
    split_request_id,
)


class ClientProtocol:
    """One client, for its whole life and over any number of sockets.

    Args:
        session_id: a UUID, unique per running client. The deployment remembers requests by it.
        inactivity_timeout: seconds without any frame after which a socket counts as dead. The
            server pings every 5 s (convex-backend crates/local_backend/src/subs/mod.rs).
        same: whether two wire texts are one value, for optimistic updates (see `View`).

    Attributes:
        connection: the state of the socket.
        connection_count: sockets that were opened so far.
        retries: failed tries since all that was outstanding had last settled.
        last_close_reason: why the last socket went, or could not be opened.
    """

    def __init__(
        self,
        *,
        session_id: str,
        inactivity_timeout: float = 30.0,
        same: Callable[[bytes, bytes], bool] = eq,
    ) -> None:
        self.session_id = session_id
        self.connection: Connection = Offline(retry_at=float("-inf"))
        self.connection_count = 0
        self.retries = 0
        self.last_close_reason = INITIAL_REASON
        self._inactivity_timeout = inactivity_timeout
        self._last_heard = 0.0
        self._query_set = QuerySet()
        self._view = View(self._query_set, same)
        self._requests = Requests()
        self._identity = ClientIdentity()
        self._remote = RemoteState()
        self._max_observed_ts = 0
        self._hello_due = False
        self._reconnect_at_once = False
        self._outstanding: set[tuple[str, int]] = set()
        self._events: list[ClientEvent] = []

    # What the user wants

    def subscribe(
        self,
        path: FunctionPath,
        args: bytes,
        mailbox: object = None,
        *,
        fresh: bool = False,
        linger: float = 0.0,
    ) -> tuple[Subscriber, FunctionResult | None]:
        """Begin, or share, a query; its present result too, if one may be shown at once.

        Args:
            args: canonical wire bytes of the arguments object.
            mailbox: comes back in `ResultsChanged`; not looked at.
            fresh: accept only results of the present socket, not one from before a disconnect.
            linger: seconds for which the query stays after its last subscriber.
        """
        subscriber = self._query_set.subscribe(path, args, mailbox, linger)
        settled = self._identity.is_settled
        return subscriber, self._view.enter(subscriber, settled=settled, fresh=fresh)

    def unsubscribe(self, subscriber: Subscriber, *, now: float) -> None:
        """Leave a query; nothing more is delivered. Idempotent."""
        self._view.leave(subscriber)
        self._query_set.unsubscribe(subscriber, now=now)
        if self._query_set.get(subscriber.query.query_id) is None:
            self._outstanding.discard(("query", subscriber.query.query_id))

    def was_sent(self, subscriber: Subscriber) -> bool:
        """Whether the deployment knows of the subscriber's query on the present socket."""
        return isinstance(self.connection, Online) and self._query_set.was_sent(subscriber.query)

    def mutation(
        self,
        path: FunctionPath,
        args: bytes,
        request_id: RequestId | None = None,
        update: OptimisticUpdate | None = None,
    ) -> RequestId:
        """Queue a mutation.

        Args:
            args: canonical wire bytes of the arguments object.
            request_id: above all that the session has had; the next one if not given.
            update: run at once; if it raises, that is raised and nothing is queued.
        """
        if update is not None:
            expected_id = self._requests.next_id if request_id is None else request_id
            self._deliver(self._view.expect(expected_id, update))
        return self._request("mutation", path, args, request_id)

    def action(
        self, path: FunctionPath, args: bytes, request_id: RequestId | None = None
    ) -> RequestId:
        """Queue an action; arguments as for `mutation`."""
        return self._request("action", path, args, request_id)

    def _request(
        self, kind: RequestKind, path: FunctionPath, args: bytes, request_id: RequestId | None
    ) -> RequestId:
        epoch = self._identity.epoch
        return self._requests.add(kind, path, args, epoch, request_id).request_id

    def restore(self, request_id: RequestId, path: FunctionPath, args: bytes) -> None:
        """Queue a mutation of an earlier process of this session, to run as the present user."""
        self._requests.restore(request_id, path, args, self._identity.epoch)

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """The caller gave up; what is known of the request, None if it is settled."""
        outcome = self._requests.withdraw(request_id)
        self._deliver(self._view.forget((request_id,)))
        self._outstanding.discard(("request", request_id))
        self._confirm_in_force()  # it may have been the last that another credential came for
        return outcome

    @property
    def ts(self) -> int:
        """The time of the newest results, ns since the epoch; 0 before the first."""
        return self._remote.ts

    @property
    def max_observed_ts(self) -> int:
        """The highest timestamp that any message told, ns since the epoch."""
        return self._max_observed_ts

    @property
    def has_ended_before(self) -> bool:
        """Whether a socket has gone, or could not be opened, before."""
        return self.last_close_reason != INITIAL_REASON

    def subscribers(self) -> Iterator[Subscriber]:
        """All subscribers of all queries."""
        return (subscriber for query in self._query_set for subscriber in query.subscribers)

    @property
    def pending_requests(self) -> list[tuple[RequestId, Outcome]]:
        """Requests without an answer, and what would be known of each if it all ended now."""
        return self._requests.pending()

    # Who the user is

    @property
    def identity(self) -> ClientIdentity:
        """The identity, for reading its state."""
        return self._identity

    def set_identity(
        self, credential: Credential | None, *, now: float, refreshable: bool = False
    ) -> None:
        """Become another user. What was asked before still runs as the one before.

        Args:
            credential: None if it is being fetched: nothing is sent before `provide_token`.
            refreshable: whether `TokenNeeded` can be answered.
        """
        left = self._identity.epoch
        # Nobody is to see what another user expected.
        self._deliver(self._view.forget([request.request_id for request in self._requests]))
        self._identity.switch(credential, refreshable=refreshable)
        if not self._identity.has_credential(left):
            message = "the identity changed before a token was had"
            abandoned = self._requests.abandon(range(left, left + 1))
            self._events.append(RequestsRefused(message, abandoned))
        epochs = (request.epoch for request in self._requests)
        self._identity.forget(before=min(epochs, default=self._identity.epoch))
        if credential is not None:
            self._reconnect_if_held(now)
            self._confirm_in_force()

    def provide_token(self, credential: Credential, *, now: float) -> None:
        """The token that `set_identity` or `TokenNeeded` waits for, or one renewed ahead."""
        self._identity.provide(credential)
        self._reconnect_if_held(now)
        self._confirm_in_force()

    def hold_identity(self) -> None:
        """The token is about to end and a new one is being fetched: send nothing until then."""
        self._identity.hold()

    def refuse_identity(self, message: str) -> None:
        """There is no token to be had: fail what waits for it, and stay so."""
        self._identity.give_up(message)
        self._refuse(message)

    def _reconnect_if_held(self, now: float) -> None:
        match self.connection:
            case Offline(retry_at=None):
                self.connection = Offline(now)
            case _:
                pass

    # What happened

    def connected(self, *, now: float) -> None:
        """A socket is open: everything that is wanted is sent on it, from the beginning."""
        self.connection = Online()
        self.connection_count += 1
        self._last_heard = now
        self._hello_due = True
        self._query_set.restart()
        self._identity.restart()
        self._remote.restart()
        self._outstanding = {("query", query.query_id) for query in self._query_set}
        self._outstanding |= {("request", request.request_id) for request in self._requests}
        self._confirm_identity()
        if not self._identity.is_settled:
            self._outstanding.add(("identity", 0))

    def connect_now(self, *, now: float) -> None:
        """Do not wait for the backoff to pass; a token that has to come first still has to."""
        match self.connection:
            case Offline(float()):
                self.connection = Offline(now)
            case _:
                pass

    def heard(self, *, now: float) -> None:
        """A frame of any kind came: the socket lives."""
        self._last_heard = now

    def received(self, message: ServerMessage | Step, *, now: float) -> None:
        """A message came, or what a Transition says; it counts as heard too."""
        self._last_heard = now
        if not isinstance(self.connection, Online):
            return
        try:
            if isinstance(message, tuple):
                self._change(*message)
            else:
                self._receive(message)
        except StartVersionMismatch:
            self._close("StartVersionMismatch")
        except (RemoteProtocolError, ValueError, msgspec.DecodeError) as error:
            self._close(f"ProtocolError: {error}")
        # `isinstance` asks the metaclass of Structs, which takes longer than the comparison.
        if not self._outstanding and type(message) is not Ping:
            self.retries = 0

    def disconnected(self, reason: str, *, now: float, jitter: float) -> None:
        """The socket is gone, or could not be opened.

        Args:
            reason: the server's close reason, or what happened; it decides the delay.
            jitter: a random number from 0 to 1.
        """
        if isinstance(self.connection, Halted):
            return
        self.last_close_reason = reason
        for request in self._requests.disconnected():
            self._events.append(RequestSettled(request.request_id, Lost(reason)))
        for query in self._query_set:
            query.fresh = False
        match self._identity.state:
            case Waiting() | Refused():
                # An open socket could send nothing: the next token decides when to connect.
                self.connection = Offline(retry_at=None)
            case _ if self._reconnect_at_once:
                self.connection = Offline(now)
            case _:
                self.connection = Offline(now + backoff(reason, self.retries, jitter))
                self.retries += 1
        self._reconnect_at_once = False

    def tick(self, *, now: float) -> None:
        """The deadline passed, or might have."""
        self._query_set.expire(now=now)
        silent = now - self._last_heard
        if isinstance(self.connection, Online) and silent >= self._inactivity_timeout:
            self._close("InactiveServer")

    # What to do

    @property
    def has_backlog(self) -> bool:
        """Whether requests wait for which the window has room."""
        return self._requests.wants_to_send

    def messages_to_send(self) -> list[ClientMessage]:
        """What goes out now, in order; each message is given once per socket."""
        messages: list[ClientMessage] = []
        if not isinstance(self.connection, Online):
            return messages
        if self._hello_due:
            self._hello_due = False
            messages.append(self._hello())
        if not (self._identity.is_settled or self._identity.awaits_confirmation):
            return messages
        # What was asked as an earlier user goes out as that user: the server runs a request under
        # the identity in force when it arrives (convex-backend crates/sync/src/worker.rs).
        now = self._identity.epoch
        while (epoch := self._requests.first_queued_epoch()) is not None and epoch != now:
            if (authenticate := self._identity.speak_as(epoch)) is not None:
                messages.append(authenticate)
            messages += self._requests.drain(epoch)
            if self._requests.first_queued_epoch() == epoch:
                return messages  # the window is full
        if (authenticate := self._identity.speak_as(now)) is not None:
            messages.append(authenticate)
        if modify := self._query_set.drain():
            messages.append(modify)
        messages += self._requests.drain(now)
        return messages

    def lone_message(self) -> ClientMessage | None:
        """The request that waits, if nothing else is to be sent and no other is unanswered.

        Nothing can leave together with it, so that it may go out before the tick is over.
        """
        if (
            not isinstance(self.connection, Online)
            or self._hello_due
            or not self._identity.is_settled
            or self._query_set.wants_to_send
        ):
            return None
        message = self._requests.take_lone(self._identity.epoch)
        if message is not None:
            self._identity.speak_as(self._identity.epoch)  # which is in force, as it is settled
        return message

    def events(self) -> list[ClientEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`, on the caller's clock; `Offline.retry_at` is apart from it."""
        deadline = self._query_set.next_deadline
        if isinstance(self.connection, Online):
            silence = self._last_heard + self._inactivity_timeout
            return silence if deadline is None else min(deadline, silence)
        return deadline

    # How

    def _hello(self) -> Connect:
        observed = self._max_observed_ts
        return Connect(
            self.session_id,
            self.connection_count - 1,
            self.last_close_reason,
            format_timestamp(observed) if observed else None,
        )

    def _receive(self, message: ServerMessage) -> None:
        match message:
            case MutationResponse() | ActionResponse():
                self._answered(message)
            case Transition():
                self._change(*step_of(message))
            case AuthError():
                self._auth_error(message)
            case FatalError():
                self.connection = Halted(message.error)
                abandoned = self._requests.abandon(range(self._identity.epoch + 1))
                self._events.append(Stopped(message.error, abandoned))
            case Ping():
                pass
            case TransitionChunk():
                raise RemoteProtocolError("a part of a transition that was not put together")
            case _:
                assert_never(message)

    def _change(self, start: Version, end: Version, updates: tuple[Update, ...]) -> None:
        self._remote.move(start, end)
        ts = self._remote.ts
        if ts > self._max_observed_ts:
            self._max_observed_ts = ts
        was_settled = self._identity.is_settled
        confirmed = not was_settled and self._confirm_identity()
        touched: list[Query] = []
        for query_id, result, journal in updates:
            query = self._query_set.get(query_id)
            if query is None or result is None:
                continue
            if self._outstanding:
                self._outstanding.discard(("query", query.query_id))
            query.journal, query.result, query.fresh = journal, result, True
            touched.append(query)
            if result.log_lines:
                self._events.append(FunctionLogged(query.path, result.log_lines))
        reached = self._requests.reached(ts)
        over = [request.request_id for request, _ in reached] if reached else ()
        news = self._view.change(touched, settled=was_settled or confirmed, over=over)
        if news or self._view.failures:
            self._deliver(news)
        if confirmed:
            self._events.append(IdentityConfirmed())
        for request, answer in reached:
            self._settle(request.request_id, answer)

    def _deliver(self, deliveries: list[Delivery]) -> None:
        if deliveries:
            self._events.append(ResultsChanged(self._remote.ts, deliveries))
        for request_id, error in self._view.failures:
            if (request := self._requests.get(request_id)) is not None:
                self._events.append(OptimisticUpdateFailed(request.path, error))
        self._view.failures.clear()

    def _confirm_identity(self) -> bool:
        if not self._identity.acknowledged(self._remote.identity):
            return False
        self._outstanding.discard(("identity", 0))
        return True

    def _confirm_in_force(self) -> None:
        """A credential that is in force already needs no message, so no transition confirms it."""
        if not (self._identity.awaits_confirmation and isinstance(self.connection, Online)):
            return
        if any(map(self._identity.is_due, self._requests.queued_epochs())):
            return  # another user's credential comes first
        if self._confirm_identity():
            self._events.append(IdentityConfirmed())
            self._deliver(self._view.release())

    def _answered(self, message: MutationResponse | ActionResponse) -> None:
        kind: RequestKind = "mutation" if isinstance(message, MutationResponse) else "action"
        ts: int | None = None
        answer: FunctionResult
        if message.success:
            answer = Succeeded(bytes(message.result), message.log_lines)
            if isinstance(message, MutationResponse) and message.ts is not None:
                ts = parse_timestamp(message.ts)
                if ts > self._max_observed_ts:
                    self._max_observed_ts = ts
        else:
            text, request_id = split_request_id(msgspec.json.decode(message.result, type=str))
            answer = Failed(text, present(message.error_data), message.log_lines, request_id)
        if message.log_lines and (request := self._requests.get(message.request_id)):
            self._events.append(FunctionLogged(request.path, message.log_lines))
        settled = self._requests.answered(
            kind, message.request_id, answer, ts, reached=self._remote.ts
        )
        if settled is not None:
            self._deliver(self._view.forget((settled.request_id,)))
            self._settle(settled.request_id, answer)

    def _settle(self, request_id: RequestId, answer: FunctionResult) -> None:
        if self._outstanding:
            self._outstanding.discard(("request", request_id))
        self._events.append(RequestSettled(request_id, answer))

    def _auth_error(self, message: AuthError) -> None:
        verdict = self._identity.refused(
            message.error,
            base_version=message.base_version,
            attempted=message.auth_update_attempted is not False,
        )
        match verdict:
            case "stale":
                return  # the server closes the socket; the next one carries the newer credential
            case "earlier":
                abandoned = self._requests.abandon(range(self._identity.epoch))
                self._events.append(RequestsRefused(message.error, abandoned))
                self._reconnect_at_once = True
            case "retry":
                self._events.append(TokenNeeded(message.error))
                self._reconnect_at_once = True
            case "final":
                self._refuse(message.error)
            case _:
                assert_never(verdict)
        self._close("AuthError")

    def _refuse(self, message: str) -> None:
        abandoned = self._requests.abandon(range(self._identity.epoch + 1))
        self._deliver(self._view.forget([request_id for request_id, _ in abandoned]))
        self._events.append(IdentityRefused(message, abandoned))
        match self.connection:
            case Online():
                self._close("AuthError")
            case Offline():
                self.connection = Offline(retry_at=None)
            case Closing() | Halted():
                pass
            case _:
                assert_never(self.connection)

    def _close(self, reason: str) -> None:
        if isinstance(self.connection, Online):
            self.connection = Closing()
            self._events.append(CloseConnection(reason))
