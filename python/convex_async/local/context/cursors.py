"""Cursors of paginated queries, and the pages that a run makes."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import msgspec

from convex_async.errors import ConvexError
from convex_async.local.problems import FunctionProblem


class Pages:
    """The pagination state of one function run: at most one paginated query."""

    def __init__(self, journal: str | None) -> None:
        self.given = None if journal is None else read_cursor(journal)
        self.made: str | None = None
        self._is_used = False

    def use(self) -> None:
        """Raise if a page was made in this run before."""
        if self._is_used:
            raise FunctionProblem("A function can run only one paginated query")
        self._is_used = True

    def reset(self) -> None:
        """The run begins anew: it has made no page."""
        self.made = None
        self._is_used = False


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
