"""What the client core tells its shell: plain facts, in the order in which they became true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeAlias

from msgspec import Struct

from convex_async.errors import Outcome
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.query_set import Mailbox, Subscriber
from convex_async.protocol.client.requests import RequestId
from convex_async.protocol.results import Answer, FunctionResult


class ResultsChanged(Struct, Generic[Mailbox], frozen=True):
    """Query results that became visible together.

    Attributes:
        ts: the deployment's time of all of them, ns since the epoch.
        deliveries: who is to see what; only those for whom it is news.
    """

    ts: int
    deliveries: list[tuple[Subscriber[Mailbox], FunctionResult]]


class RequestSettled(Struct, frozen=True):
    """A mutation or action is over; a mutation's effect is visible by now."""

    request_id: RequestId
    answer: Answer


class FunctionLogged(Struct, frozen=True):
    """A function run for this client logged something."""

    path: FunctionPath
    log_lines: Sequence[str]


class OptimisticUpdateFailed(Struct, frozen=True):
    """An optimistic update raised when it was run again, and is dropped; its mutation goes on."""

    path: FunctionPath
    error: Exception


class CloseConnection(Struct, frozen=True):
    """Cut the socket, then report it as disconnected for this reason."""

    reason: str


class TokenNeeded(Struct, frozen=True):
    """The deployment refused the token: fetch another, anew, and hand it to `provide_token`."""

    message: str


class IdentityConfirmed(Struct, frozen=True):
    """The deployment took the credential that was sent last."""


class IdentityRefused(Struct, frozen=True):
    """The credential is refused for good: nothing runs until another identity is set.

    Attributes:
        message: the deployment's words.
        abandoned: the requests that end with it, and what is known of each.
    """

    message: str
    abandoned: list[tuple[RequestId, Outcome]]


class RequestsRefused(Struct, frozen=True):
    """Requests of an earlier identity can't be finished, as its credential is refused by now."""

    message: str
    abandoned: list[tuple[RequestId, Outcome]]


class Stopped(Struct, frozen=True):
    """The deployment ended the session for good (FatalError)."""

    message: str
    abandoned: list[tuple[RequestId, Outcome]]


ClientEvent: TypeAlias = (
    ResultsChanged[Mailbox]
    | RequestSettled
    | FunctionLogged
    | OptimisticUpdateFailed
    | CloseConnection
    | TokenNeeded
    | IdentityConfirmed
    | IdentityRefused
    | RequestsRefused
    | Stopped
)
