"""Optimistic updates: what is expected of mutations under way, over what the deployment said.

Each update is run when its mutation is queued, and again, in the order of the calls, over every
new state of the deployment, until its mutation has settled. So it may see its own list with and
without what others wrote meanwhile, and has to be a pure function of what it sees.

Source: convex-js src/browser/sync/optimistic_updates_impl.ts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from convex_async.function_path import FunctionPath
from convex_async.protocol.client.query_set import Query, QuerySet, QueryToken
from convex_async.protocol.results import FunctionResult, Succeeded


class ExpectedValue(Succeeded, frozen=True, gc=False):
    """A value that an optimistic update has made of a query's result."""


OptimisticUpdate: TypeAlias = "Callable[[Overlay], None]"
"""Reads and sets values of the overlay, as wire bytes; it may raise."""


class Overlay:
    """The values that optimistic updates have set.

    Args:
        failures: gets the updates that raised when they were run again, and are dropped: the
            request id of each, and what it raised.
    """

    def __init__(self, query_set: QuerySet[Any], failures: list[tuple[int, Exception]]) -> None:
        self._failures = failures
        self._query_set = query_set
        self._updates: dict[int, OptimisticUpdate] = {}
        self._values: dict[QueryToken, ExpectedValue] = {}

    def over(self, query: Query[Any]) -> FunctionResult | None:
        """What subscribers of the query are to see; None while it is loading."""
        return self._values.get((query.path, query.args), query.result)

    # For updates

    def get(self, path: FunctionPath, args: bytes) -> bytes | None:
        """The value of a query as it is seen; None if it is loading, failed, or not subscribed."""
        value = self._values.get((path, args))
        query = self._query_set.find(path, args)
        result = value or (query and query.result)
        return result.value if isinstance(result, Succeeded) else None

    def all(self, path: FunctionPath) -> list[tuple[bytes, bytes | None]]:
        """The arguments and values, as `get` gives them, of a function's subscribed queries."""
        return [(q.args, self.get(path, q.args)) for q in self._query_set if q.path == path]

    def set(self, path: FunctionPath, args: bytes, value: bytes) -> None:
        """Let a query be seen with this value."""
        self._values[path, args] = ExpectedValue(value, ())

    # For the core

    def add(self, request_id: int, update: OptimisticUpdate) -> list[Query[Any]]:
        """Run an update for the first time; if it raises, nothing has happened.

        Returns:
            The queries that it may have changed.
        """
        before = dict(self._values)
        try:
            update(self)
        except BaseException:
            self._values = before
            raise
        self._updates[request_id] = update
        return self._touched(before)

    def drop(self, request_ids: Collection[int]) -> list[Query[Any]]:
        """These requests are over: the queries that their updates may have changed."""
        if self._updates.keys().isdisjoint(request_ids):
            return []
        return self.replay((), without=request_ids)

    def replay(
        self, touched: Iterable[Query[Any]], *, without: Collection[int]
    ) -> list[Query[Any]]:
        """Run the updates again, but for those of requests that are over.

        Args:
            touched: queries that have a new result.

        Returns:
            These, and the others that updates may have changed.
        """
        for request_id in without:
            self._updates.pop(request_id, None)
        before, self._values = self._values, {}
        for request_id, update in list(self._updates.items()):
            so_far = dict(self._values)
            try:
                update(self)
            except Exception as error:
                self._values = so_far
                del self._updates[request_id]
                self._failures.append((request_id, error))
        return list(dict.fromkeys([*touched, *self._touched(before)]))

    def _touched(self, before: dict[QueryToken, ExpectedValue]) -> list[Query[Any]]:
        tokens = before.keys() | self._values.keys()
        queries = (self._query_set.find(path, args) for path, args in tokens)
        return [query for query in queries if query is not None]
