"""What a client core is made of, and what more than one side of it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic

from convex_async.errors import Outcome
from convex_async.protocol.client.connection import Closing, Link, Wanted
from convex_async.protocol.client.events import (
    ClientEvent,
    CloseConnection,
    IdentityConfirmed,
    IdentityRefused,
    OptimisticUpdateFailed,
    RequestSettled,
    ResultsChanged,
)
from convex_async.protocol.client.identity import ClientIdentity
from convex_async.protocol.client.query_set import Mailbox, QuerySet
from convex_async.protocol.client.remote import RemoteState
from convex_async.protocol.client.requests import RequestId, Requests
from convex_async.protocol.client.view import Delivery, View
from convex_async.protocol.results import FunctionResult


class Session(Generic[Mailbox]):
    """The parts of one client core.

    Args:
        inactivity_timeout: seconds, see `Link`.
        same: see `View`.

    Attributes:
        events: what happened, and was not told yet.
    """

    def __init__(self, *, inactivity_timeout: float, same: Callable[[bytes, bytes], bool]) -> None:
        self.link: Link = Link(inactivity_timeout=inactivity_timeout)
        self.query_set: QuerySet[Mailbox] = QuerySet[Mailbox]()
        self.view: View[Mailbox] = View(self.query_set, same)
        self.requests: Requests = Requests()
        self.identity: ClientIdentity = ClientIdentity()
        self.remote: RemoteState = RemoteState()
        self.events: list[ClientEvent[Mailbox]] = []

    def deliver(self, deliveries: list[Delivery[Mailbox]]) -> None:
        """Tell of results that became visible, and of optimistic updates that failed."""
        if deliveries:
            self.events.append(ResultsChanged(self.remote.ts, deliveries))
        for request_id, error in self.view.failures:
            if (request := self.requests.get(request_id)) is not None:
                self.events.append(OptimisticUpdateFailed(request.path, error))
        self.view.failures.clear()

    def settle(self, request_id: RequestId, result: FunctionResult) -> None:
        """Tell that a request is over."""
        if self.link.outstanding:
            self.link.outstanding.discard(("request", request_id))
        self.events.append(RequestSettled(request_id, result))

    def abandon(self, epochs: range) -> list[tuple[RequestId, Outcome]]:
        """Give up the requests of these identities: what is known of each."""
        abandoned = self.requests.abandon(epochs)
        self.forget_gone()
        return abandoned

    def forget_gone(self) -> None:
        """What was given up is not outstanding any more: nothing will tell that it has come."""
        gone: set[Wanted] = {("query", i) for what, i in self.link.outstanding if what == "query"}
        gone -= {("query", query.query_id) for query in self.query_set}
        for what, i in self.link.outstanding:
            if what == "request" and self.requests.get(i) is None:
                gone.add((what, i))
        self.link.outstanding -= gone

    def confirm_identity(self) -> bool:
        """Whether the present user is confirmed by what the deployment has told, and was not."""
        if not self.identity.acknowledged(self.remote.identity):
            return False
        self.link.outstanding.discard(("identity", 0))
        return True

    def confirm_in_force(self) -> None:
        """A credential that is in force already needs no message, so no transition confirms it."""
        if not (self.identity.awaits_confirmation and self.link.is_online):
            return
        if any(map(self.identity.is_due, self.requests.queued_epochs())):
            return  # another user's credential comes first
        if self.confirm_identity():
            self.events.append(IdentityConfirmed())
            self.deliver(self.view.release())

    def refuse(self, message: str) -> None:
        """The present user is refused: fail what waits; nothing runs until another is set."""
        abandoned = self.abandon(range(self.identity.epoch + 1))
        self.deliver(self.view.forget([request_id for request_id, _ in abandoned]))
        self.events.append(IdentityRefused(message, abandoned))
        self.view.withhold(s for query in self.query_set for s in query.subscribers)
        self.link.token_needed()
        self.close("AuthError")

    def close(self, reason: str) -> None:
        """Have the socket cut, if there is one."""
        if self.link.is_online:
            self.link.state = Closing()
            self.events.append(CloseConnection(reason))
