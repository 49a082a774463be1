"""The calls of the client that make several live queries one thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from convex_async.connection.driver import Driver

if TYPE_CHECKING:
    from convex_async.reactive.subscribe_all import ConsistentView, QuerySpec
    from convex_async.reactive.watcher import QuerySetWatcher

K = TypeVar("K", bound=Hashable)


class LiveViews(ABC):
    """What stands on many subscriptions; what it needs is imported at first use."""

    @abstractmethod
    def _running(self) -> Driver:
        """The driver, started in the running loop at first use."""

    def subscribe_all(self, queries: Mapping[K, QuerySpec]) -> ConsistentView[K]:
        """Keep several queries up to date together: a dict of all values a moment.

        Args:
            queries: by a key of yours each: a path, `(path, args)` or `(path, args, type)`.

        Raises:
            CodecError, ValueError, TypeError: bad arguments or paths, or no queries.
            ClientClosedError: the client is closed.
        """
        from convex_async.reactive.subscribe_all import ConsistentView

        return ConsistentView(self._running(), queries)

    def _watcher(self) -> QuerySetWatcher[Any]:
        """A changing set of queries, seen together; each may still be loading."""
        from convex_async.reactive.watcher import QuerySetWatcher

        return QuerySetWatcher(self._running(), whole=False)
