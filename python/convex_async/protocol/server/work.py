"""What the server core asks of its shell, and what comes back."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Raw, Struct

from convex_async.protocol.messages import (
    Action,
    Authenticate,
    Mutation,
)


class Returned(Struct, frozen=True):
    """A function's value, as wire bytes."""

    value: bytes
    log_lines: list[str] = []
    journal: str | None = None


class Raised(Struct, frozen=True):
    """A function's failure; `data` is the wire bytes of a ConvexError's data, else None."""

    message: str
    data: bytes | None = None
    log_lines: list[str] = []
    journal: str | None = None


Outcome: TypeAlias = Returned | Raised


class Verify(Struct, frozen=True):
    """Work: find out whose token this is; later messages wait. Answer `verified` or `refused`."""

    message: Authenticate


class RunMutation(Struct, frozen=True):
    """Work: run it, as this identity, then answer `mutation_done`; the next waits for that."""

    message: Mutation
    identity: object


class RunAction(Struct, frozen=True):
    """Work: run it, as this identity, then answer `action_done`."""

    message: Action
    identity: object


class RunQueries(Struct, frozen=True):
    """Work: run all of them on one snapshot of the latest state, then answer `queries_done`.

    What the queries of `removed` ids read need not be watched any more.
    """

    queries: list[SubscribedQuery]
    removed: list[int]
    identity: object


Work: TypeAlias = Verify | RunMutation | RunAction | RunQueries


class Close(Struct, frozen=True):
    """End the socket; a code of None is a close frame without a status."""

    code: int | None
    reason: str


class SubscribedQuery(Struct, eq=False):
    """A query that the client wants kept up to date on this socket."""

    query_id: int
    path: str
    args: Raw
    journal: str | None
    component_path: str | None = None
    is_valid: bool = False
    sent: tuple[bytes, bytes | None, tuple[str, ...]] | None = None
