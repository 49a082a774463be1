"""What the deployment's messages mean to a client core."""

from __future__ import annotations

from typing import Generic, assert_never

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.client.connection import Halted
from convex_async.protocol.client.events import (
    FunctionLogged,
    IdentityConfirmed,
    RequestsRefused,
    Stopped,
    TokenNeeded,
)
from convex_async.protocol.client.query_set import Mailbox, Query
from convex_async.protocol.client.remote import Update, Version, step_of
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.protocol.client.session import Session
from convex_async.protocol.messages import (
    ActionResponse,
    AuthError,
    FatalError,
    MutationResponse,
    Ping,
    ServerMessage,
    Transition,
    TransitionChunk,
    parse_timestamp,
)
from convex_async.protocol.results import result_of


class Incoming(Generic[Mailbox]):
    """Takes messages into the session."""

    def __init__(self, session: Session[Mailbox]) -> None:
        self._session = session
        self._identity = session.identity
        self._link = session.link
        self._query_set = session.query_set
        self._remote = session.remote
        self._requests = session.requests
        self._view = session.view

    def receive(self, message: ServerMessage) -> None:
        """A message came.

        Raises:
            RemoteProtocolError, ValueError, msgspec.DecodeError: the deployment may not say so.
        """
        match message:
            case MutationResponse() | ActionResponse():
                self._answered(message)
            case Transition():
                self.move(*step_of(message))
            case AuthError():
                self._auth_error(message)
            case FatalError():
                self._link.state = Halted(message.error)
                abandoned = self._session.abandon(range(self._identity.epoch + 1))
                self._session.events.append(Stopped(message.error, abandoned))
            case Ping():
                pass
            case TransitionChunk():
                raise RemoteProtocolError("a part of a transition that was not put together")
            case _:
                assert_never(message)

    def move(self, start: Version, end: Version, updates: tuple[Update, ...]) -> None:
        """A transition came: all of it or nothing.

        Raises:
            StartVersionMismatch, RemoteProtocolError: see `RemoteState.move`.
        """
        self._remote.move(start, end)
        ts = self._remote.ts
        session = self._session
        was_settled = self._identity.is_settled
        confirmed = not was_settled and session.confirm_identity()
        touched: list[Query[Mailbox]] = []
        for query_id, result, journal in updates:
            query = self._query_set.get(query_id)
            if query is None or result is None:
                continue
            if self._link.outstanding:
                self._link.outstanding.discard(("query", query.query_id))
            query.journal, query.result, query.fresh = journal, result, True
            touched.append(query)
            if result.log_lines:
                session.events.append(FunctionLogged(query.path, result.log_lines))
        reached = self._requests.reached(ts)
        over = [request.request_id for request, _ in reached] if reached else ()
        news = self._view.change(touched, settled=was_settled or confirmed, over=over)
        if news or self._view.failures:
            session.deliver(news)
        if confirmed:
            session.events.append(IdentityConfirmed())
        for request, result in reached:
            session.settle(request.request_id, result)

    def _answered(self, message: MutationResponse | ActionResponse) -> None:
        kind: RequestKind = "mutation" if isinstance(message, MutationResponse) else "action"
        result = result_of(message)
        ts: int | None = None
        if message.success and isinstance(message, MutationResponse) and message.ts is not None:
            ts = parse_timestamp(message.ts)
            self._remote.observe(ts)
            if self._requests.times and message.request_id in self._requests.times:
                self._requests.times[RequestId(message.request_id)] = ts
        if message.log_lines and (request := self._requests.get(message.request_id)):
            self._session.events.append(FunctionLogged(request.path, message.log_lines))
        settled = self._requests.answered(
            kind, message.request_id, result, ts, reached=self._remote.ts
        )
        if settled is not None:
            self._session.deliver(self._view.forget((settled.request_id,)))
            self._session.settle(settled.request_id, result)

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
                abandoned = self._session.abandon(range(self._identity.epoch))
                self._session.events.append(RequestsRefused(message.error, abandoned))
                self._link.at_once = True
            case "retry":
                self._session.events.append(TokenNeeded(message.error))
                self._link.at_once = True
            case "final":
                self._session.refuse(message.error)
            case _:
                assert_never(verdict)
        self._session.close("AuthError")
