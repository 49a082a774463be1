"""The pages of one live list: which queries they are, how they split, and what they show.

The rules are those of npm's `usePaginatedQuery` (convex-js src/react/use_paginated_query.ts and
src/browser/sync/paginated_query_client.ts). Nothing here waits or knows a socket: the queries to
follow go out through `add` and `remove`, their results come in with `settle`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from convex_async.client_base.answers import function_error
from convex_async.errors import ConvexError, FunctionError
from convex_async.function_path import FunctionPath
from convex_async.protocol.results import Failed, FunctionResult

PageStatus: TypeAlias = Literal["loading", "can_load_more", "loading_more", "exhausted"]

# A new one for each list, and again when it begins anew: its pages then have journals of their
# own, and share no query with pages that have grown meanwhile or have failed.
_sessions = itertools.count(1)


class LoadedPage(msgspec.Struct, rename="camel"):
    """What a paginated query returned. Source: convex-js src/server/pagination.ts."""

    page: msgspec.Raw
    is_done: bool
    continue_cursor: str
    split_cursor: str | None = None
    page_status: Literal["SplitRecommended", "SplitRequired"] | None = None
    count: int = 0


class _Page:
    """One page that is followed.

    Attributes:
        options: its `paginationOpts`, but for the id.
        result: as it came; None while loading.
        loaded: the newest that it had; it stays while the query fails.
        failure: what the query fails with at present, or None.
    """

    __slots__ = ("failure", "loaded", "options", "result")

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.result: FunctionResult | None = None
        self.loaded: LoadedPage | None = None
        self.failure: FunctionError | None = None


class PageSet:
    """The pages of one list.

    Args:
        path: of the query, for errors.
        page_size: documents that the first page is asked for.
        add: follow a query under a key, with these `paginationOpts`.
        remove: follow it no more.

    Attributes:
        status: as `LivePages.status`.
        wire: the whole list, as wire bytes; None while nothing can be shown.
    """

    def __init__(
        self,
        path: FunctionPath,
        page_size: int,
        add: Callable[[int, Mapping[str, Any]], None],
        remove: Callable[[int], None],
    ) -> None:
        self.status: PageStatus = "loading"
        self.wire: bytes | None = None
        self._path = path
        self._page_size = page_size
        self._add = add
        self._remove = remove
        self._keys = itertools.count()
        self._pages: dict[int, _Page] = {}
        self._shown: list[int] = []
        self._splits: dict[int, tuple[int, int]] = {}
        self._begin()

    def __len__(self) -> int:
        return len(self._shown)

    def _begin(self) -> None:
        self._session = next(_sessions)
        self.status = "loading"
        self._shown = [self._follow({"cursor": None, "numItems": self._page_size})]

    def _follow(self, options: dict[str, Any]) -> int:
        key = next(self._keys)
        self._pages[key] = _Page(options)
        self._add(key, {**options, "id": self._session})
        return key

    def load_more(self, count: int) -> bool:
        """Follow one more page after the last; False if that one is not there, or is the end."""
        last = self._pages[self._shown[-1]].loaded
        if self.status != "can_load_more" or last is None:
            return False
        cursor = last.continue_cursor
        self._shown.append(self._follow({"cursor": cursor, "numItems": count}))
        self.status = "loading_more"
        return True

    def settle(self, results: Mapping[int, FunctionResult | None]) -> None:
        """The pages' results are these, all of one moment.

        Raises:
            ConvexError, FunctionError: a page fails, for another reason than its cursor.
            TypeError: the query does not return what `paginate` gave it.
        """
        for key, result in results.items():
            self._load(self._pages[key], result)
        for key, halves in list(self._splits.items()):
            if all(self._pages[half].result is not None for half in halves):
                self._complete(key, halves)
        for key in self._shown:
            page = self._pages[key]
            if page.failure is not None and _is_invalid_cursor(page):
                self._restart()
                return
        for key in list(self._shown):
            self._split(key)
        self._join()

    def _load(self, page: _Page, result: FunctionResult | None) -> None:
        if result is page.result:
            return
        page.result, page.failure = result, None
        if isinstance(result, Failed):
            page.failure = function_error(self._path, result)
        elif result is not None:
            try:
                page.loaded = msgspec.json.decode(result.value, type=LoadedPage)
                rows = msgspec.json.decode(page.loaded.page, type=list[msgspec.Raw])
            except msgspec.DecodeError as error:
                raise TypeError(
                    f"{self._path} does not return what .paginate() gave it: {error}"
                ) from None
            page.loaded.count = len(rows)

    def _complete(self, key: int, halves: tuple[int, int]) -> None:
        """Both halves are there: they take the place of the page, all at once."""
        index = self._shown.index(key)
        self._shown[index : index + 1] = halves
        del self._splits[key]
        self._drop(key)

    def _split(self, key: int) -> None:
        page = self._pages[key]
        loaded = page.loaded
        if key in self._splits or page.failure is not None or loaded is None:
            return
        if loaded.split_cursor is None or not (
            loaded.page_status is not None or loaded.count > 2 * self._page_size
        ):
            return
        start, middle, end = page.options["cursor"], loaded.split_cursor, loaded.continue_cursor
        size = self._page_size
        self._splits[key] = (
            self._follow({"cursor": start, "endCursor": middle, "numItems": size}),
            self._follow({"cursor": middle, "endCursor": end, "numItems": size}),
        )

    def _restart(self) -> None:
        """The cursors are of no use any more, as the query is another: begin anew."""
        for key in list(self._pages):
            self._drop(key)
        self._splits.clear()
        self._begin()

    def _drop(self, key: int) -> None:
        del self._pages[key]
        self._remove(key)

    def _join(self) -> None:
        parts: list[bytes] = []
        for key in self._shown:
            page = self._pages[key]
            if page.failure is not None:
                raise page.failure.with_traceback(None)
            loaded = page.loaded
            if loaded is None or loaded.page_status == "SplitRequired":
                # What such a page has may be incomplete: its halves will have it all.
                self.status = "loading" if loaded is None and not parts else "loading_more"
                break
            if loaded.count:
                parts.append(bytes(loaded.page).strip()[1:-1])
            self.status = "exhausted" if loaded.is_done else "can_load_more"
        if self.status != "loading":
            self.wire = b"[" + b",".join(parts) + b"]"


def _is_invalid_cursor(page: _Page) -> bool:
    """Whether a page fails as its cursors are of another query, which beginning anew can mend."""
    if page.loaded is None and page.options["cursor"] is None:
        return False  # it had none: the function itself says so, and would again
    error = page.failure
    if error is None:
        return False
    if "InvalidCursor" in error.message:
        return True
    data = error.data if isinstance(error, ConvexError) else None
    return (
        isinstance(data, dict)
        and data.get("isConvexSystemError") is True
        and data.get("paginationError") == "InvalidCursor"
    )
