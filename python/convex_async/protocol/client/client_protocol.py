"""The client's end of the sync protocol: facts go in, messages, events and a deadline come out.

It never awaits, sleeps, reads a clock, rolls dice, opens a socket or logs: the driver does. After
any call, `messages_to_send`, `events` and `next_deadline` say what there is to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import eq
from typing import Generic

import msgspec

from convex_async.errors import Outcome, RemoteProtocolError
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.connection import (
    INITIAL_REASON,
    Connection,
    Halted,
    Online,
    Wanted,
)
from convex_async.protocol.client.events import ClientEvent, RequestSettled, RequestsRefused
from convex_async.protocol.client.identity import ClientIdentity, Credential, Refused, Waiting
from convex_async.protocol.client.incoming import Incoming
from convex_async.protocol.client.outgoing import Outgoing, check_size
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.query_set import Mailbox, Subscriber
from convex_async.protocol.client.remote import StartVersionMismatch, Step
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.protocol.client.session import Session
from convex_async.protocol.messages import (
    ClientMessage,
    Connect,
    Ping,
    ServerMessage,
    format_timestamp,
)
from convex_async.protocol.results import FunctionResult, Lost, TooLarge


class ClientProtocol(Generic[Mailbox]):
    """One client, for its whole life and over any number of sockets.

    Args:
        session_id: a UUID, unique per running client. The deployment remembers requests by it.
        inactivity_timeout: seconds without any frame after which a socket counts as dead. The
            server pings every 5 s (convex-backend crates/local_backend/src/subs/mod.rs).
        same: whether two wire texts are one value, for optimistic updates (see `View`).
    """

    def __init__(
        self,
        *,
        session_id: str,
        inactivity_timeout: float = 30.0,
        same: Callable[[bytes, bytes], bool] = eq,
    ) -> None:
        self.session_id = session_id
        self._session = Session[Mailbox](inactivity_timeout=inactivity_timeout, same=same)
        self._link = self._session.link
        self._query_set = self._session.query_set
        self._view = self._session.view
        self._requests = self._session.requests
        self._identity = self._session.identity
        self._remote = self._session.remote
        self._incoming = Incoming(self._session)
        self._outgoing = Outgoing(self._identity, self._query_set, self._requests, self._hello)

    # What there is to know

    @property
    def connection(self) -> Connection:
        """The state of the socket."""
        return self._link.state

    @property
    def connection_count(self) -> int:
        """Sockets that were opened so far."""
        return self._link.count

    @property
    def retries(self) -> int:
        """Failed tries since all that was outstanding had last settled."""
        return self._link.retries

    @property
    def last_close_reason(self) -> str:
        """Why the last socket went, or could not be opened."""
        return self._link.last_close_reason

    @property
    def has_ended_before(self) -> bool:
        """Whether a socket has gone, or could not be opened, before."""
        return self._link.last_close_reason != INITIAL_REASON

    @property
    def ts(self) -> int:
        """The time of the newest results, ns since the epoch; 0 before the first."""
        return self._remote.ts

    @property
    def max_observed_ts(self) -> int:
        """The highest timestamp that any message told, ns since the epoch."""
        return self._remote.max_observed_ts

    def note_time(self, request_id: RequestId) -> None:
        """Somebody wants to know when the mutation is committed; see `noted_time`."""
        self._requests.times[request_id] = None

    def noted_time(self, request_id: RequestId) -> int | None:
        """When it was, ns since the epoch, where that is known; it is forgotten then."""
        return self._requests.times.pop(request_id, None)

    @property
    def identity(self) -> ClientIdentity:
        """The identity, for reading its state."""
        return self._identity

    @property
    def pending_requests(self) -> list[tuple[RequestId, Outcome]]:
        """Requests without an answer, and what would be known of each if it all ended now."""
        return self._requests.pending()

    def subscribers(self) -> Iterator[Subscriber[Mailbox]]:
        """All subscribers of all queries."""
        return (subscriber for query in self._query_set for subscriber in query.subscribers)

    def was_sent(self, subscriber: Subscriber[Mailbox]) -> bool:
        """Whether the deployment knows of the subscriber's query on the present socket."""
        return self._link.is_online and self._query_set.was_sent(subscriber.query)

    # What the user wants

    def subscribe(
        self,
        path: FunctionPath,
        args: bytes,
        mailbox: Mailbox,
        *,
        fresh: bool = False,
        linger: float = 0.0,
    ) -> tuple[Subscriber[Mailbox], FunctionResult | None]:
        """Begin, or share, a query; its present result too, if one may be shown at once.

        Args:
            args: canonical wire bytes of the arguments object.
            mailbox: comes back in `ResultsChanged`.
            fresh: accept only results of the present socket, not one from before a disconnect.
            linger: seconds for which the query stays after its last subscriber.

        Raises:
            MessageTooLargeError: the arguments are more than the deployment takes.
        """
        check_size(path, args)
        subscriber = self._query_set.subscribe(path, args, mailbox, linger)
        settled = self._identity.is_settled
        return subscriber, self._view.enter(subscriber, settled=settled, fresh=fresh)

    def unsubscribe(self, subscriber: Subscriber[Mailbox], *, now: float) -> None:
        """Leave a query; nothing more is delivered. Idempotent."""
        self._view.leave(subscriber)
        self._query_set.unsubscribe(subscriber, now=now)
        if self._query_set.get(subscriber.query.query_id) is None:
            self._link.outstanding.discard(("query", subscriber.query.query_id))

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

        Raises:
            MessageTooLargeError: the arguments are more than the deployment takes.
        """
        check_size(path, args)
        if update is not None:
            expected_id = self._requests.next_id if request_id is None else request_id
            self._session.deliver(self._view.expect(expected_id, update))
        return self._request("mutation", path, args, request_id)

    def action(
        self, path: FunctionPath, args: bytes, request_id: RequestId | None = None
    ) -> RequestId:
        """Queue an action; arguments and errors as for `mutation`."""
        check_size(path, args)
        return self._request("action", path, args, request_id)

    def _request(
        self, kind: RequestKind, path: FunctionPath, args: bytes, request_id: RequestId | None
    ) -> RequestId:
        epoch = self._identity.epoch
        return self._requests.add(kind, path, args, epoch, request_id).request_id

    def restore(self, request_id: RequestId, path: FunctionPath, args: bytes) -> None:
        """Queue a mutation of an earlier process of this session, to run as the present user.

        Raises:
            MessageTooLargeError: the arguments are more than the deployment takes.
        """
        check_size(path, args)
        self._requests.restore(request_id, path, args, self._identity.epoch)

    def hold_back(self, *, above: int) -> None:
        """Let requests whose ids are above this wait, until it is called again."""
        self._requests.sendable = above

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """The caller gave up; what is known of the request, None if it is settled."""
        outcome = self._requests.withdraw(request_id)
        self._session.deliver(self._view.forget((request_id,)))
        self._link.outstanding.discard(("request", request_id))
        # It may have been the last that another credential came for.
        self._session.confirm_in_force()
        return outcome

    # Who the user is

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
        self._session.deliver(self._view.forget([request.request_id for request in self._requests]))
        self._identity.switch(credential, refreshable=refreshable)
        if not self._identity.has_credential(left):
            message = "the identity changed before a token was had"
            abandoned = self._session.abandon(range(left, left + 1))
            self._session.events.append(RequestsRefused(message, abandoned))
        epochs = (request.epoch for request in self._requests)
        self._identity.forget(before=min(epochs, default=self._identity.epoch))
        if credential is not None:
            self._link.token_came(now=now)
            self._session.confirm_in_force()

    def provide_token(self, credential: Credential, *, now: float) -> None:
        """The token that `set_identity` or `TokenNeeded` waits for, or one renewed ahead."""
        self._identity.provide(credential)
        self._link.token_came(now=now)
        self._session.confirm_in_force()

    def hold_identity(self) -> None:
        """The token is about to end and a new one is being fetched: send nothing until then."""
        self._identity.hold()

    def refuse_identity(self, message: str) -> None:
        """There is no token to be had: fail what waits for it, and stay so."""
        self._identity.give_up(message)
        self._session.refuse(message)

    # What happened

    def connected(self, *, now: float) -> None:
        """A socket is open: everything that is wanted is sent on it, from the beginning."""
        self._outgoing.restart()
        self._remote.restart()
        wanted: set[Wanted] = {("query", query.query_id) for query in self._query_set}
        wanted |= {("request", request.request_id) for request in self._requests}
        self._link.opened(wanted, now=now)
        self._session.confirm_identity()
        if not self._identity.is_settled:
            wanted.add(("identity", 0))

    def connect_now(self, *, now: float) -> None:
        """Do not wait for the backoff to pass; a token that has to come first still has to."""
        self._link.due(now=now)

    def heard(self, *, now: float) -> None:
        """A frame of any kind came: the socket lives."""
        self._link.last_heard = now

    def received(self, message: ServerMessage | Step, *, now: float) -> None:
        """A message came, or what a Transition says; it counts as heard too."""
        self._link.last_heard = now
        if not isinstance(self._link.state, Online):
            return
        try:
            if isinstance(message, tuple):
                self._incoming.move(*message)
            else:
                self._incoming.receive(message)
        except StartVersionMismatch:
            self._session.close("StartVersionMismatch")
        except (RemoteProtocolError, ValueError, msgspec.DecodeError) as error:
            self._session.close(f"ProtocolError: {error}")
        # `isinstance` asks the metaclass of Structs, which takes longer than the comparison.
        if not self._link.outstanding and type(message) is not Ping:
            self._link.retries = 0

    def disconnected(
        self, reason: str, *, now: float, jitter: float, too_large: bool = False
    ) -> None:
        """The socket is gone, or could not be opened.

        Args:
            reason: the server's close reason, or what happened; it decides the delay.
            jitter: a random number from 0 to 1.
            too_large: it went because a message of this client was larger than is taken.
        """
        if isinstance(self._link.state, Halted):
            return
        if too_large and (culprit := self._requests.closed_for_size()) is not None:
            self._session.deliver(self._view.forget((culprit.request_id,)))
            self._session.events.append(RequestSettled(culprit.request_id, TooLarge(reason)))
        for request in self._requests.disconnected():
            self._session.events.append(RequestSettled(request.request_id, Lost(reason)))
        for query in self._query_set:
            query.fresh = False
        awaits_token = isinstance(self._identity.state, Waiting | Refused)
        self._link.lost(reason, now=now, jitter=jitter, awaits_token=awaits_token)

    def tick(self, *, now: float) -> None:
        """The deadline passed, or might have."""
        if self._query_set.expire(now=now):
            self._session.forget_gone()
        silence_ends = self._link.silence_ends
        if silence_ends is not None and now >= silence_ends:
            self._session.close("InactiveServer")

    # What to do

    @property
    def wants_attention(self) -> bool:
        """Whether the shell has something to do: to open a socket, to wait for one, to send."""
        # `isinstance` asks the metaclass of Structs, which takes longer than the comparison.
        return type(self._link.state) is not Online or self._outgoing.has_messages

    def messages_to_send(self) -> list[ClientMessage]:
        """What goes out now, in order; each message is given once per socket."""
        return self._outgoing.drain() if self._link.is_online else []

    def lone_message(self) -> ClientMessage | None:
        """The request that waits, if nothing else is to be sent and no other is unanswered.

        Nothing can leave together with it, so that it may go out before the tick is over.
        """
        return self._outgoing.take_lone() if self._link.is_online else None

    def events(self) -> list[ClientEvent[Mailbox]]:
        """What happened since the last call, in order."""
        events, self._session.events = self._session.events, []
        return events

    @property
    def next_deadline(self) -> float | None:
        """When to call `tick`, on the caller's clock; `Offline.retry_at` is apart from it."""
        expiry, silence = self._query_set.next_deadline, self._link.silence_ends
        if expiry is None or silence is None:
            return silence if expiry is None else expiry
        return min(expiry, silence)

    # How

    def _hello(self) -> Connect:
        observed = self._remote.max_observed_ts
        return Connect(
            self.session_id,
            self._link.count - 1,
            self._link.last_close_reason,
            format_timestamp(observed) if observed else None,
        )
