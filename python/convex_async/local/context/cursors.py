"""Cursors of paginated queries, and the pages that a run makes."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import msgspec

from convex_async.errors import ConvexError
from convex_async.local import texts
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.limits import MAX_BYTES_READ, MAX_DOCUMENTS_READ


class Pages:
    """The pagination state of one function run: at most one paginated query."""

    def __init__(self, journal: str | None) -> None:
        self.given: Cursor | None = None if journal is None else read_cursor(journal)
        self.made: str | None = None
        self._is_used = False

    def use(self) -> None:
        """Raise if a page was made in this run before."""
        if self._is_used:
            raise FunctionProblem(texts.TWO_PAGES)
        self._is_used = True

    def reset(self) -> None:
        """The run begins anew: it has made no page."""
        self.made = None
        self._is_used = False


class ReadBudget:
    """What a page may read; None for no other limit than the transaction's.

    Source: convex-backend crates/database/src/query/index_range.rs, and
    crates/isolate/src/environment/udf/async_syscall.rs, read_page_from_query.
    """

    def __init__(self, rows: object, size: object) -> None:
        self._most_rows = None if rows is None else whole(rows, "maximumRowsRead")
        self._most_bytes = None if size is None else whole(size, "maximumBytesRead")
        if self._most_rows == 0 or self._most_bytes == 0:
            raise FunctionProblem(texts.NO_READS)
        self._rows = self._bytes = 0

    def read(self, size: int) -> None:
        """Count a document."""
        self._rows += 1
        self._bytes += size

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be read."""
        return (self._most_rows is not None and self._rows >= self._most_rows) or (
            self._most_bytes is not None and self._bytes >= self._most_bytes
        )

    @property
    def is_nearly_spent(self) -> bool:
        """Whether more than three quarters are read."""
        rows = min(self._most_rows or MAX_DOCUMENTS_READ, MAX_DOCUMENTS_READ)
        size = min(self._most_bytes or MAX_BYTES_READ, MAX_BYTES_READ)
        return self._rows > rows * 3 // 4 or self._bytes > size * 3 // 4


def whole(number: object, name: str) -> int:
    """A number of `paginationOpts`.

    Raises:
        FunctionProblem: it is no whole number from 0 on.
    """
    if (
        isinstance(number, int | float)
        and not isinstance(number, bool)
        and number >= 0
        and float(number).is_integer()
    ):
        return int(number)
    raise FunctionProblem(f"paginationOpts.{name} is a whole number from 0 on, not {number!r}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a query: after the key, or the end of it all."""

    key: bytes | None
    fingerprint: str

    @property
    def text(self) -> str:
        key = None if self.key is None else self.key.hex()
        return urlsafe_b64encode(msgspec.json.encode((key, self.fingerprint))).decode()


def read_cursor(text: object) -> Cursor | None:
    if text is None:
        return None
    try:
        data = urlsafe_b64decode(str(text))
        key, fingerprint = msgspec.json.decode(data, type=tuple[str | None, str])
        return Cursor(None if key is None else bytes.fromhex(key), fingerprint)
    except (ValueError, msgspec.DecodeError):
        raise ConvexError(
            "InvalidCursor: this is no cursor of this deployment",
            {"isConvexSystemError": True, "paginationError": "InvalidCursor"},
        ) from None
