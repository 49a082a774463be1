"""`ctx.db.query("tasks")`: which documents, in which order, and how many."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Literal

from convex_async.codec.values import decode
from convex_async.errors import ConvexError
from convex_async.local import texts
from convex_async.local.context.cursors import Cursor, Pages, ReadBudget, read_cursor, whole
from convex_async.local.context.index_range import IndexRange
from convex_async.local.definitions.schema import BY_CREATION_TIME
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import Document
from convex_async.local.store.limits import MAX_DOCUMENTS_READ
from convex_async.local.transactions.transaction import Transaction

Order = Literal["asc", "desc"]

# Items over which a page should be split (convex-backend crates/isolate: pagination).
SPLIT_RECOMMENDED_ITEMS = 6144


class Query:
    """A query of one table; each method but the last returns another query."""

    def __init__(
        self,
        transaction: Transaction,
        pages: Pages,
        table: str,
        *,
        index: str = BY_CREATION_TIME,
        keys: tuple[bytes, bytes | None] = (b"", None),
        order: Order = "asc",
        filters: tuple[Callable[[dict[str, Any]], Any], ...] = (),
    ) -> None:
        self._transaction = transaction
        self._pages = pages
        self._table = table
        self._index = index
        self._keys = keys
        self._order: Order = order
        self._filters = filters

    def with_index(
        self, name: str, build: Callable[[IndexRange], IndexRange] | None = None
    ) -> Query:
        """Read by an index, within the range that `build` makes: `lambda q: q.eq("user", id)`."""
        indexes = self._transaction.store.schema.indexes(self._table)
        if name not in indexes:
            raise FunctionProblem(
                f"Index {self._table}.{name} not found; there are {sorted(indexes)}"
            )
        keys: tuple[bytes, bytes | None] = (b"", None)
        if build is not None:
            keys = build(IndexRange(indexes[name], f"{self._table}.{name}")).keys()
        return self._with(index=name, keys=keys)

    def order(self, order: Order) -> Query:
        """By the index, "asc" or "desc"."""
        if order not in ("asc", "desc"):
            raise FunctionProblem(f"order is 'asc' or 'desc', not {order!r}")
        return self._with(order=order)

    def filter(self, predicate: Callable[[dict[str, Any]], Any]) -> Query:
        """Only documents for which the predicate is true; the others are read all the same."""
        if inspect.iscoroutinefunction(predicate):
            raise FunctionProblem("filter() takes a plain function: it can't await")
        return self._with(filters=(*self._filters, predicate))

    def _with(self, **changes: Any) -> Query:
        options: dict[str, Any] = {
            "index": self._index,
            "keys": self._keys,
            "order": self._order,
            "filters": self._filters,
        }
        return Query(self._transaction, self._pages, self._table, **{**options, **changes})

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """The documents one by one: `async for`; those not asked for are not read."""
        return self._stream()

    async def _stream(self) -> AsyncIterator[dict[str, Any]]:
        # Noted at each step: who leaves the loop does not come back here.
        low, high = self._keys
        read = self._transaction.read_set.begin(self._table, self._index)
        for key, document in self._scan(low, high):
            read.reach(*self._up_to(low, high, key))
            if (fields := self._accept(document)) is not None:
                yield fields
        read.reach(low, high)

    async def collect(self) -> list[dict[str, Any]]:
        """All documents."""
        return await self.take(None)

    async def take(self, count: float | None) -> list[dict[str, Any]]:
        """The first documents, at most so many; None takes all."""
        if count is not None and not (count >= 0 and float(count).is_integer()):
            raise FunctionProblem(f"take() takes a non-negative integer, not {count!r}")
        found: list[dict[str, Any]] = []
        if count == 0:
            return found
        low, high = self._keys
        last: bytes | None = None
        try:
            for key, document in self._scan(low, high):
                fields = self._accept(document)
                if fields is not None:
                    found.append(fields)
                    if len(found) == count:
                        last = key
                        break
        finally:
            # Also when a filter raised: other documents may spare it that.
            self._note(low, high, last)
        return found

    async def first(self) -> dict[str, Any] | None:
        """The first document, or None."""
        found = await self.take(1)
        return found[0] if found else None

    async def unique(self) -> dict[str, Any] | None:
        """The only document, or None; two are an error."""
        found = await self.take(2)
        if len(found) > 1:
            raise FunctionProblem(
                f"unique() query returned more than one result from table {self._table}:\n"
                f" [{found[0]['_id']}, {found[1]['_id']}, ...]"
            )
        return found[0] if found else None

    async def paginate(self, opts: Mapping[str, Any]) -> dict[str, Any]:
        """One page, as Convex's own `paginate`; `opts` is the client's `paginationOpts`.

        Returns:
            `page`, `isDone`, `continueCursor`, `splitCursor` and `pageStatus`.
        """
        self._pages.use()
        count = whole(opts.get("numItems"), "numItems")
        if count == 0:
            raise FunctionProblem(texts.NO_ITEMS)
        if count > MAX_DOCUMENTS_READ:
            raise FunctionProblem(texts.TOO_MANY_ITEMS.format(count=count))
        budget = ReadBudget(opts.get("maximumRowsRead"), opts.get("maximumBytesRead"))
        start = read_cursor(opts.get("cursor"))
        end = read_cursor(opts.get("endCursor")) or self._pages.given
        low, high = self._bounds(start, end)
        page: list[dict[str, Any]] = []
        keys: list[bytes] = []
        last: bytes | None = None
        is_cut = False
        try:
            for key, document in self._scan(low, high):
                if end is None and budget.is_spent:
                    # Never before the first one: a page has to get on.
                    is_cut, last = True, keys[-1]
                    break
                keys.append(key)
                budget.read(document.size)
                fields = self._accept(document)
                if fields is not None:
                    page.append(fields)
                    if end is None and len(page) >= count:
                        last = key
                        break
        finally:
            self._note(low, high, last)
        cursor = end or Cursor(last, self._fingerprint())
        self._pages.made = cursor.text
        crowded = len(page) > SPLIT_RECOMMENDED_ITEMS or budget.is_nearly_spent
        middle = keys[len(keys) // 2 - 1] if len(keys) > 2 else None
        return {
            "page": page,
            "isDone": cursor.key is None,
            "continueCursor": cursor.text,
            "splitCursor": None if middle is None else Cursor(middle, self._fingerprint()).text,
            "pageStatus": "SplitRequired" if is_cut else "SplitRecommended" if crowded else None,
        }

    def _bounds(self, start: Cursor | None, end: Cursor | None) -> tuple[bytes, bytes | None]:
        """The range of a page: after `start`, up to and with `end`."""
        low, high = self._keys
        for cursor in (start, end):
            if cursor is not None and cursor.fingerprint != self._fingerprint():
                raise ConvexError(
                    "InvalidCursor: this cursor is of another query",
                    {"isConvexSystemError": True, "paginationError": "InvalidCursor"},
                )
        if start is not None:
            if start.key is None:
                return b"\xff", b"\xff"
            if self._order == "asc":
                low = start.key + b"\x00"
            else:
                high = start.key
        if end is not None and end.key is not None:
            if self._order == "asc":
                high = end.key + b"\x00"
            else:
                low = end.key
        return low, high

    def _fingerprint(self) -> str:
        low, high = self._keys
        return f"{self._table}/{self._index}/{self._order}/{low.hex()}/{(high or b'').hex()}"

    def _scan(self, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, Document]]:
        descending = self._order == "desc"
        return self._transaction.scan(self._table, self._index, low, high, descending=descending)

    def _accept(self, document: Document) -> dict[str, Any] | None:
        fields: dict[str, Any] = decode(document.public_wire)
        return fields if all(accepts(fields) for accepts in self._filters) else None

    def _note(self, low: bytes, high: bytes | None, last: bytes | None) -> None:
        """Note the range as read, only up to the last key that was looked at."""
        self._transaction.read_set.add(self._table, self._index, *self._up_to(low, high, last))

    def _up_to(
        self, low: bytes, high: bytes | None, last: bytes | None
    ) -> tuple[bytes, bytes | None]:
        if last is not None and self._order == "asc":
            high = last + b"\x00"
        elif last is not None:
            low = last
        return low, high
