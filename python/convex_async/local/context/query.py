"""`ctx.db.query("tasks")`: which documents, in which order, and how many."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import msgspec

from convex_async.codec.values import decode
from convex_async.errors import ConvexError
from convex_async.local.definitions.schema import BY_CREATION_TIME
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import index_key, successor
from convex_async.local.store.store import Document
from convex_async.local.transactions.transaction import Transaction

Order = Literal["asc", "desc"]

# Items over which a page should be split (convex-backend crates/isolate: pagination).
SPLIT_RECOMMENDED_ITEMS = 6144


class IndexRange:
    """Builds a range of an index: equalities on its first fields, then bounds on the next."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = (*fields, "_creationTime")
        self._equal: list[Any] = []
        self._lower: tuple[Any, bool] | None = None
        self._upper: tuple[Any, bool] | None = None

    def eq(self, field: str, value: Any) -> Self:
        """The field, the next of the index, equals the value."""
        if self._lower or self._upper:
            raise FunctionProblem(f"eq({field!r}) can't follow a bound in an index range")
        self._check_field(field)
        self._equal.append(value)
        return self

    def gt(self, field: str, value: Any) -> Self:
        """The field is greater than the value."""
        return self._bound_below(field, value, inclusive=False)

    def gte(self, field: str, value: Any) -> Self:
        """The field is greater than the value, or equal."""
        return self._bound_below(field, value, inclusive=True)

    def lt(self, field: str, value: Any) -> Self:
        """The field is less than the value."""
        return self._bound_above(field, value, inclusive=False)

    def lte(self, field: str, value: Any) -> Self:
        """The field is less than the value, or equal."""
        return self._bound_above(field, value, inclusive=True)

    def _bound_below(self, field: str, value: Any, *, inclusive: bool) -> Self:
        self._check_field(field)
        if self._lower is not None:
            raise FunctionProblem(f"the lower bound of {field!r} is set already")
        self._lower = (value, inclusive)
        return self

    def _bound_above(self, field: str, value: Any, *, inclusive: bool) -> Self:
        self._check_field(field)
        if self._upper is not None:
            raise FunctionProblem(f"the upper bound of {field!r} is set already")
        self._upper = (value, inclusive)
        return self

    def _check_field(self, field: str) -> None:
        place = len(self._equal)
        if place >= len(self._fields) or field != self._fields[place]:
            due = self._fields[place] if place < len(self._fields) else "none"
            raise FunctionProblem(
                f"an index range takes the fields of the index in order: {due!r} is due, "
                f"not {field!r}"
            )

    def keys(self) -> tuple[bytes, bytes | None]:
        """The first key, and the one to stop before; None for no end."""
        low = index_key(self._equal)
        high = successor(low)
        if self._lower is not None:
            value, inclusive = self._lower
            bound = index_key([*self._equal, value])
            low = bound if inclusive else successor(bound) or bound
        if self._upper is not None:
            value, inclusive = self._upper
            bound = index_key([*self._equal, value])
            high = successor(bound) if inclusive else bound
        return low, high


class Pages:
    """The pagination state of one function run: at most one paginated query."""

    def __init__(self, journal: str | None) -> None:
        self.given = None if journal is None else _read_cursor(journal)
        self.made: str | None = None
        self._is_used = False

    def use(self) -> None:
        """Raise if a page was made in this run before."""
        if self._is_used:
            raise FunctionProblem("A function can run only one paginated query")
        self._is_used = True


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
            keys = build(IndexRange(indexes[name])).keys()
        return self._with(index=name, keys=keys)

    def order(self, order: Order) -> Query:
        """By the index, "asc" or "desc"."""
        if order not in ("asc", "desc"):
            raise FunctionProblem(f"order is 'asc' or 'desc', not {order!r}")
        return self._with(order=order)

    def filter(self, predicate: Callable[[dict[str, Any]], Any]) -> Query:
        """Only documents for which the predicate is true; the others are read all the same."""
        return self._with(filters=(*self._filters, predicate))

    def _with(self, **changes: Any) -> Query:
        options: dict[str, Any] = {
            "index": self._index,
            "keys": self._keys,
            "order": self._order,
            "filters": self._filters,
        }
        return Query(self._transaction, self._pages, self._table, **{**options, **changes})

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
        count = opts.get("numItems")
        if not isinstance(count, int | float) or not count >= 1:
            raise FunctionProblem(f"paginationOpts.numItems is a number from 1 on, not {count!r}")
        start = _read_cursor(opts.get("cursor"))
        end = _read_cursor(opts.get("endCursor")) or self._pages.given
        low, high = self._bounds(start, end)
        page: list[dict[str, Any]] = []
        keys: list[bytes] = []
        last: bytes | None = None
        try:
            for key, document in self._scan(low, high):
                keys.append(key)
                fields = self._accept(document)
                if fields is not None:
                    page.append(fields)
                    if end is None and len(page) >= count:
                        last = key
                        break
        finally:
            self._note(low, high, last)
        cursor = end or _Cursor(last, self._fingerprint())
        self._pages.made = cursor.text
        crowded = len(page) > SPLIT_RECOMMENDED_ITEMS
        middle = keys[len(keys) // 2 - 1] if len(keys) > 2 else None
        return {
            "page": page,
            "isDone": cursor.key is None,
            "continueCursor": cursor.text,
            "splitCursor": None if middle is None else _Cursor(middle, self._fingerprint()).text,
            "pageStatus": "SplitRecommended" if crowded else None,
        }

    def _bounds(self, start: _Cursor | None, end: _Cursor | None) -> tuple[bytes, bytes | None]:
        """The range of a page: after `start`, up to and with `end`."""
        low, high = self._keys
        for cursor in (start, end):
            if cursor is not None and cursor.fingerprint != self._fingerprint():
                raise ConvexError(
                    {"isConvexSystemError": True, "paginationError": "InvalidCursor"},
                    "InvalidCursor: this cursor is of another query",
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
        fields: dict[str, Any] = decode(document.wire)
        return fields if all(accepts(fields) for accepts in self._filters) else None

    def _note(self, low: bytes, high: bytes | None, last: bytes | None) -> None:
        """Note the range as read, only up to the last key that was looked at."""
        if last is not None and self._order == "asc":
            high = last + b"\x00"
        elif last is not None:
            low = last
        self._transaction.read_set.add(self._table, self._index, low, high)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """A place in a query: after the key, or the end of it all."""

    key: bytes | None
    fingerprint: str

    @property
    def text(self) -> str:
        key = None if self.key is None else self.key.hex()
        return urlsafe_b64encode(msgspec.json.encode((key, self.fingerprint))).decode()


def _read_cursor(text: object) -> _Cursor | None:
    if text is None:
        return None
    try:
        data = urlsafe_b64decode(str(text))
        key, fingerprint = msgspec.json.decode(data, type=tuple[str | None, str])
        return _Cursor(None if key is None else bytes.fromhex(key), fingerprint)
    except (ValueError, msgspec.DecodeError):
        raise ConvexError(
            {"isConvexSystemError": True, "paginationError": "InvalidCursor"},
            "InvalidCursor: this is no cursor of this deployment",
        ) from None
