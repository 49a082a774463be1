"""The calls of the client that make several live queries one thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from convex_async.calls import PageCall
from convex_async.client_base.asked import unpack
from convex_async.client_base.reading import Reading
from convex_async.connection.running import Running
from convex_async.values import Arguments

if TYPE_CHECKING:
    from convex_async.function_path import FunctionReference
    from convex_async.reactive.live_pages import LivePages
    from convex_async.reactive.subscribe_all import ConsistentView, QuerySpec
    from convex_async.reactive.watcher import QuerySetWatcher

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class LiveViews(ABC):
    """What stands on many subscriptions; what it needs is imported at first use."""

    _reading: Reading

    @abstractmethod
    def _running(self) -> Running:
        """The driver, started in the running loop at first use."""

    def subscribe_all(self, queries: Mapping[K, QuerySpec]) -> ConsistentView[K]:
        """Keep several queries up to date together: a dict of all values a moment.

        Args:
            queries: by a key of yours each: a path, `(path, args)`, `(path, args, type)` or a
                typed call.

        Raises:
            CodecError, ValueError, TypeError: bad arguments or paths, or no queries.
            ClientClosedError: the client is closed.
        """
        from convex_async.reactive.subscribe_all import ConsistentView

        return ConsistentView(self._running(), queries, self._reading)

    @overload
    def paginate_live(self, path: PageCall[T], *, page_size: int = 20) -> LivePages[T]: ...
    @overload
    def paginate_live(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 20,
        type: type[T],
    ) -> LivePages[T]: ...
    @overload
    def paginate_live(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 20,
        type: Any = None,
    ) -> LivePages[Any]: ...
    def paginate_live(
        self,
        path: str | FunctionReference | PageCall[Any],
        args: Arguments | None = None,
        *,
        page_size: int = 20,
        type: Any = None,
    ) -> LivePages[Any]:
        """The first pages of a paginated query as one live list; `load_more` makes it longer.

        Args:
            path: of a query that takes `paginationOpts`, which is filled in.
            args: its other arguments.
            page_size: documents a page, 1 to 32000.
            type: of one document.

        Raises:
            CodecError, ValueError, TypeError: bad arguments or path.
            ClientClosedError: the client is closed.
        """
        from convex_async.reactive.live_pages import LivePages

        path, args, type = unpack("page", path, args, type)
        return LivePages(
            self._running(), path, args, page_size=page_size, type=type, reading=self._reading
        )

    def _watcher(self) -> QuerySetWatcher[Any]:
        """A changing set of queries, seen together; each may still be loading."""
        from convex_async.reactive.watcher import QuerySetWatcher

        return QuerySetWatcher(self._running(), whole=False)
