"""What the server core asks of its shell, and what comes back."""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar

from msgspec import Raw, Struct

from convex_async.protocol.messages import (
    Action,
    Authenticate,
    Mutation,
)

Identity = TypeVar("Identity")
"""Whatever the shell tells users apart by; the core only hands it back. None is nobody."""


class Verify(Struct, frozen=True):
    """Work: find out whose token this is; later messages wait. Answer `verified` or `refused`."""

    message: Authenticate


class RunMutation(Struct, Generic[Identity], frozen=True):
    """Work: run it, as this identity, then answer `mutation_done`; the next waits for that."""

    message: Mutation
    identity: Identity | None


class RunAction(Struct, Generic[Identity], frozen=True):
    """Work: run it, as this identity, then answer `action_done`."""

    message: Action
    identity: Identity | None


class RunQueries(Struct, Generic[Identity], frozen=True):
    """Work: open a snapshot of the latest state, ask `snapshot_opened` which queries to run on it,
    then answer `queries_done`. `queries` are those that are known to be needed already.

    What the queries of `removed` ids read need not be watched any more.
    """

    queries: list[SubscribedQuery]
    removed: list[int]
    identity: Identity | None


Work: TypeAlias = Verify | RunMutation[Identity] | RunAction[Identity] | RunQueries[Identity]


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
