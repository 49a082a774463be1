"""The queries that this client wants kept up to date, and who wants them.

Equal path and canonical arguments are one query, for any number of subscribers. Changes are kept
as intents; a version is given out only when they are drained, so that all intents of one loop
tick travel in one ModifyQuerySet, and none survives a reconnect in a queue.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic, NewType, TypeAlias, TypeVar

from msgspec import Raw

from convex_async.function_path import FunctionPath
from convex_async.protocol.messages import Add, ModifyQuerySet, Remove
from convex_async.protocol.results import FunctionResult

# Bytes of one change in a message beside the path, the arguments and the journal.
ENTRY = 100

Mailbox = TypeVar("Mailbox")
"""Whatever the shell delivers to; the core only hands it back."""

QueryId = NewType("QueryId", int)
QueryToken: TypeAlias = tuple[FunctionPath, bytes]
"""What makes two subscriptions the same query: canonical path and canonical arguments."""


class Query(Generic[Mailbox]):
    """One query of the query set.

    Attributes:
        journal: the latest journal, sent again on a reconnect so that pages keep their bounds.
        result: the latest result, of this socket or an earlier one; None while loading.
        shown: what subscribers saw last: the result, or what an optimistic update made of it.
        fresh: whether `result` was received, or confirmed, on the present socket.
        lingers_until: when a query without subscribers is to go; None while it has some.
    """

    __slots__ = (
        "args",
        "fresh",
        "journal",
        "linger",
        "lingers_until",
        "path",
        "query_id",
        "result",
        "shown",
        "subscribers",
    )

    def __init__(self, query_id: QueryId, path: FunctionPath, args: bytes) -> None:
        self.query_id: QueryId = query_id
        self.path: FunctionPath = path
        self.args: bytes = args
        self.journal: str | None = None
        self.result: FunctionResult | None = None
        self.shown: FunctionResult | None = None
        self.fresh: bool = False
        self.subscribers: list[Subscriber[Mailbox]] = []
        self.linger: float = 0.0
        self.lingers_until: float | None = None


class Subscriber(Generic[Mailbox]):
    """One party interested in a query.

    Attributes:
        mailbox: whatever the shell delivers to.
        needs_fresh: nothing is delivered before the query's result is known to be of the
            present socket and the present identity.
    """

    __slots__ = ("mailbox", "needs_fresh", "query")

    def __init__(self, query: Query[Mailbox], mailbox: Mailbox) -> None:
        self.query: Query[Mailbox] = query
        self.mailbox: Mailbox = mailbox
        self.needs_fresh: bool = False


class QuerySet(Generic[Mailbox]):
    """The query set of one client over all its sockets."""

    def __init__(self) -> None:
        self._queries: dict[QueryToken, Query[Mailbox]] = {}
        self._by_id: dict[int, Query[Mailbox]] = {}
        self._next_id = 0
        self._version = 0
        self._announced = True
        self._to_add: dict[int, Query[Mailbox]] = {}
        self._to_remove: list[QueryId] = []
        self._lingering: dict[QueryId, Query[Mailbox]] = {}

    def __len__(self) -> int:
        return len(self._queries)

    def __iter__(self) -> Iterator[Query[Mailbox]]:
        return iter(self._queries.values())

    @property
    def wants_to_send(self) -> bool:
        """Whether `drain` has a message to give."""
        return bool(self._to_add or self._to_remove or not self._announced)

    @property
    def next_deadline(self) -> float | None:
        """When the first lingering query is to go."""
        deadlines = [q.lingers_until for q in self._lingering.values() if q.lingers_until]
        return min(deadlines, default=None)

    def get(self, query_id: int) -> Query[Mailbox] | None:
        """The query of this id, unless nobody wants it any more."""
        return self._by_id.get(query_id)

    def find(self, path: FunctionPath, args: bytes) -> Query[Mailbox] | None:
        """The query of this path and these arguments, if somebody wants it."""
        return self._queries.get((path, args))

    def was_sent(self, query: Query[Mailbox]) -> bool:
        """Whether the deployment was told of the query on the present socket."""
        return query.query_id not in self._to_add

    def subscribe(
        self, path: FunctionPath, args: bytes, mailbox: Mailbox, linger: float
    ) -> Subscriber[Mailbox]:
        """A subscriber of the query, which is added if it is new."""
        query = self._queries.get((path, args))
        if query is None:
            # Ids are never reused: a late entry for a removed query must find nobody.
            query = Query(QueryId(self._next_id), path, args)
            self._next_id += 1
            self._queries[path, args] = query
            self._by_id[query.query_id] = query
            self._to_add[query.query_id] = query
        elif query.lingers_until is not None:
            query.lingers_until = None
            del self._lingering[query.query_id]
        query.linger = max(query.linger, linger)
        subscriber = Subscriber(query, mailbox)
        query.subscribers.append(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber[Mailbox], *, now: float) -> None:
        """Take the subscriber off its query; the last one takes the query along. Idempotent."""
        query = subscriber.query
        if subscriber not in query.subscribers:
            return
        query.subscribers.remove(subscriber)
        if query.subscribers:
            return
        if query.linger > 0:
            query.lingers_until = now + query.linger
            self._lingering[query.query_id] = query
        else:
            self._remove(query)

    def expire(self, *, now: float) -> bool:
        """Drop the queries whose time without subscribers is over; whether there were any."""
        over = [q for q in self._lingering.values() if (q.lingers_until or now) <= now]
        for query in over:
            del self._lingering[query.query_id]
            self._remove(query)
        return bool(over)

    def _remove(self, query: Query[Mailbox]) -> None:
        del self._queries[query.path, query.args]
        del self._by_id[query.query_id]
        if self._to_add.pop(query.query_id, None) is None:
            self._to_remove.append(query.query_id)

    def restart(self) -> None:
        """A new socket: the whole set is sent again, from version 0, even if it is empty.

        The first transition, which settles what completed before, comes in answer to it.
        """
        self._version = 0
        self._announced = False
        self._to_add = dict(self._by_id)
        self._to_remove = []
        for query in self._queries.values():
            query.fresh = False

    def drain(self, limit: float = math.inf) -> ModifyQuerySet | None:
        """All intents since the last call as one message, or the first of them.

        Args:
            limit: bytes of the message; what is more is for the next call.
        """
        if not self.wants_to_send:
            return None
        changes: list[Add | Remove] = [Remove(query_id) for query_id in self._to_remove]
        size = len(changes) * ENTRY
        left: dict[int, Query[Mailbox]] = {}
        for query_id, query in self._to_add.items():
            size += len(query.args) + len(query.path) + len(query.journal or "") + ENTRY
            if changes and size > limit:
                left[query_id] = query
            else:
                changes.append(Add(query_id, query.path, Raw(b"[%b]" % query.args), query.journal))
        self._to_add = left
        self._to_remove = []
        self._announced = True
        self._version += 1
        return ModifyQuerySet(self._version - 1, self._version, changes)
