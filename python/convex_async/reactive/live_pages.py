"""A paginated query that stays right while others write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Generic, Self, TypeVar

from convex_async.calls import PageCall
from convex_async.client_base.asked import unpack
from convex_async.client_base.pagination import MAX_PAGE_SIZE
from convex_async.client_base.reading import Reading
from convex_async.codec.diff import ListDiffer
from convex_async.codec.values import decode, encode_arguments
from convex_async.connection.running import Running
from convex_async.errors import LocalProtocolError
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.reactive.page_set import PageSet, PageStatus
from convex_async.reactive.updates import Change
from convex_async.reactive.watcher import QuerySetWatcher
from convex_async.values import Arguments

T = TypeVar("T")


class LivePages(Generic[T]):
    """The loaded pages of a query as one live list; made by `ConvexClient.paginate_live`.

    `async for items in pages` gives the list whenever it has changed, and when a page that
    `load_more` asked for has come. It is of one time of the deployment, has no document twice,
    and leaves none out between its first and its last: pages keep their ends, whatever is written,
    over reconnects too. A failing query raises from the loop, and iterating again goes on.

    It leaves its queries when it is closed, garbage-collected, or dropped by `break`. One task may
    wait at a time.
    """

    def __init__(
        self,
        driver: Running,
        path: str | FunctionReference | PageCall[T],
        args: Arguments | None,
        *,
        page_size: int,
        type: type[T] | None,
        reading: Reading,
    ) -> None:
        _check_size(page_size)
        path, args, made = unpack("page", path, args, type)
        # A copy that later changes to the caller's objects do not reach.
        common: dict[str, Any] = decode(reading.arguments(args))
        if "paginationOpts" in common:
            raise ValueError("paginate_live() fills in paginationOpts: use page_size=")
        self._path = canonical_path(path)
        self._type: Any = None if made is None else reading.converter(list.__class_getitem__(made))
        self._page_size = page_size
        self._watcher: QuerySetWatcher[int] = QuerySetWatcher(driver, whole=False)
        watcher, function = self._watcher, self._path

        def follow(key: int, options: Mapping[str, Any]) -> None:
            watcher.add(key, function, encode_arguments({**common, "paginationOpts": options}))

        self._pages = PageSet(function, page_size, follow, watcher.remove)
        self._shown: bytes | None = None
        self._owes = False
        self._last_status: PageStatus = "loading"

    def __repr__(self) -> str:
        state = "closed" if self._watcher.is_closed else self.status
        return f"<LivePages of {self._path!r}, {len(self._pages)} pages, {state}>"

    @property
    def status(self) -> PageStatus:
        """ "loading" (the first page), "can_load_more", "loading_more" or "exhausted"."""
        return self._pages.status

    @property
    def ts(self) -> int:
        """The deployment's time of the newest page, ns since the epoch; 0 before the first."""
        return self._watcher.ts

    def load_more(self, count: int | None = None) -> bool:
        """Ask for the page after the last one; the loop gives the longer list when it is there.

        Args:
            count: documents that it is to have; `page_size` if not given.

        Returns:
            False, and nothing is asked, while a page is loading or when there are no more.
        """
        size = self._page_size if count is None else count
        _check_size(size)
        if self._watcher.is_closed or not self._pages.load_more(size):
            return False
        self._owes = True
        return True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[T]:
        wire = await self._next()
        if wire is None:
            raise StopAsyncIteration
        return self._decode(wire)

    async def get(self, timeout: float | None = None) -> list[T]:
        """The list that was given last, waiting for the first.

        Raises:
            ConvexError, FunctionError: the query fails.
            TimeoutError: there is none after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            wire = self._shown or await self._next()
        if wire is None:
            raise LocalProtocolError(f"the pages of {self._path} are closed")
        return self._decode(wire)

    async def changes(self, key: str = "_id") -> AsyncGenerator[Change, None]:
        """What changed in the list, decoding only that; the first item has everything inserted.

        Args:
            key: the field that tells documents apart.

        Raises:
            TypeError: these are no documents with distinct keys.
            ConvexError, FunctionError: the query fails.
        """
        differ = ListDiffer(key=key)
        first = True
        while (wire := await self._next()) is not None:
            diff = differ.next(wire)
            if first or diff:
                yield Change(
                    diff.inserted, diff.updated, diff.deleted, diff.moved, self.ts, wire, self._type
                )
            first = False

    def close(self) -> None:
        """Leave the queries; a waiting iteration ends. Idempotent; never waits."""
        self._watcher.close()

    async def aclose(self) -> None:
        """The same as `close`, for `contextlib.aclosing` and its like."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if (watcher := getattr(self, "_watcher", None)) is not None and not watcher.is_closed:
            watcher.close()

    def _decode(self, wire: bytes) -> list[T]:
        items: list[T] = decode(wire, type=self._type)
        return items

    async def _next(self) -> bytes | None:
        """The next list that is news, as wire bytes; None: closed."""
        while await self._watcher.changed():
            members = self._watcher.members
            try:
                self._pages.settle({key: member.shown for key, member in members.items()})
            except BaseException:
                self._owes = True  # what comes after a failure is news, also if it is as before
                raise
            wire, status = self._pages.wire, self._pages.status
            if wire is None or status == "loading":
                continue
            if self._shown is None and status == "loading_more" and wire == b"[]":
                continue  # the first page has to be split before anything can be shown
            is_settled = status != "loading_more"
            if wire == self._shown and not (
                is_settled and (self._owes or status != self._last_status)
            ):
                continue
            if is_settled:
                self._owes, self._last_status = False, status
            self._shown = wire
            return wire
        return None


def _check_size(size: int) -> None:
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise ValueError(f"a page has from 1 to {MAX_PAGE_SIZE} documents, not {size}")
