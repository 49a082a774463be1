"""A paginated query read to its end: documents one by one, or page by page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

import msgspec

from convex_async import codec
from convex_async.client_base.reading import Reading
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.values import Arguments

T = TypeVar("T")

RunQuery: TypeAlias = Callable[[str, Mapping[str, Any], Any], Awaitable[Any]]
"""Runs a query: path, arguments, type of the result."""

# convex-backend crates/database/src/query: a page has at least one row, at most this many.
MAX_PAGE_SIZE = 32_000


class Page(Sequence[T]):
    """The documents of one page.

    Attributes:
        continue_cursor: where the next page begins; give it as `cursor=` to go on from here, also
            in another process.
        is_done: whether the query ends with this page.
    """

    __slots__ = ("_documents", "continue_cursor", "is_done")

    def __init__(self, documents: list[T], *, continue_cursor: str, is_done: bool) -> None:
        self._documents = documents
        self.continue_cursor: str = continue_cursor
        self.is_done: bool = is_done

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._documents[index]

    def __len__(self) -> int:
        return len(self._documents)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Page):
            return self._documents == list[Any](other)  # pyright: ignore[reportUnknownArgumentType]
        return self._documents == other

    __hash__ = None  # type: ignore[assignment]  # it compares like the list it holds

    def __repr__(self) -> str:
        end = ", the last" if self.is_done else ""
        return f"<Page of {len(self._documents)} documents{end}>"


class Pages(AsyncIterator[Page[T]]):
    """The pages of a query, fetched when they are asked for.

    A fetch that fails or is cancelled loses nothing: the next one asks for the same page. Tasks
    may share one: each page goes to one of them.
    """

    def __init__(
        self,
        query: RunQuery,
        path: str,
        args: Mapping[str, Any],
        *,
        page_size: int,
        cursor: str | None,
        type: Any,
        reading: Reading,
    ) -> None:
        self._query = query
        self._path = path
        self._args = args
        self._page_size = page_size
        self._cursor = cursor
        element: Any = Any if type is None else type
        self._result_type = reading.converter(_Result[element])
        self._is_done = False
        self._turn = asyncio.Lock()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        async with self._turn:
            if self._is_done:
                raise StopAsyncIteration
            options = {"numItems": self._page_size, "cursor": self._cursor}
            result = await self._query(
                self._path, {**self._args, "paginationOpts": options}, self._result_type
            )
            self._cursor, self._is_done = result.continue_cursor, result.is_done
        return Page(result.page, continue_cursor=result.continue_cursor, is_done=result.is_done)


class Paginator(AsyncIterator[T]):
    """The documents of a paginated query; made by `paginate` of either client.

    `async for document in client.paginate("messages:list")` fetches a page whenever the one
    before is used up. Each page is read at its own time, from where the one before ended: no
    document comes twice or is left out unless it moves in the query's order meanwhile. Tasks may
    share one: each document goes to one of them.

    Args:
        query: runs one query.
        path: of a query that takes `paginationOpts` and returns what `.paginate()` gave it.
        args: the other arguments.
        page_size: documents a page, 1 to 32000.
        cursor: where to begin: the `continue_cursor` of an earlier page.
        type: of one document.
        reading: how the client reads arguments and types.

    Raises:
        TypeError: no document could become a `type`.
        UnsupportedTypeError, InvalidValueError: the arguments are no Convex values.
        ValueError: `page_size` is out of range, the path is none, or the arguments have
            `paginationOpts` already.
    """

    def __init__(
        self,
        query: RunQuery,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
        reading: Reading = Reading(),  # noqa: B008 - it can't change
    ) -> None:
        if not 1 <= page_size <= MAX_PAGE_SIZE:
            raise ValueError(f"page_size is from 1 to {MAX_PAGE_SIZE}, not {page_size}")
        # A copy that later changes to the caller's objects do not reach.
        self._args: dict[str, Any] = codec.decode(reading.arguments(args))
        if "paginationOpts" in self._args:
            raise ValueError("paginate() fills in paginationOpts: use page_size= and cursor=")
        self._query = query
        self._path = canonical_path(path)
        self._page_size = page_size
        self._cursor = cursor
        self._type = type
        self._reading = reading
        self._pages: Pages[T] = self.pages()
        self._ready: deque[T] = deque()
        self._turn = asyncio.Lock()

    def pages(self) -> Pages[T]:
        """The pages from the cursor on, as sequences with `.continue_cursor` and `.is_done`."""
        return Pages(
            self._query,
            self._path,
            self._args,
            page_size=self._page_size,
            cursor=self._cursor,
            type=self._type,
            reading=self._reading,
        )

    def __repr__(self) -> str:
        return f"<Paginator {self._path!r}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        async with self._turn:
            while not self._ready:  # a page may be empty without being the last
                self._ready.extend(await anext(self._pages))
            return self._ready.popleft()


class _Result(msgspec.Struct, Generic[T], rename="camel"):
    """What a paginated query returns, without what only live pages need.

    Source: convex-js src/server/pagination.ts, PaginationResult.
    """

    page: list[T]
    is_done: bool
    continue_cursor: str
