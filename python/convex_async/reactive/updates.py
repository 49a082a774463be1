"""What a subscription gives: results and changes."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import Struct

from convex_async.codec.values import decode
from convex_async.errors import FunctionError

T = TypeVar("T")


class Result(Struct, Generic[T], frozen=True):
    """One state of a query, a failure being data too.

    Attributes:
        value: the value; None if the query failed.
        error: the failure, or None.
        log_lines: what the run logged; empty where the deployment redacts it.
        ts: the deployment's time of the state, ns since the epoch.
    """

    value: T | None
    error: FunctionError | None
    log_lines: list[str]
    ts: int


class Change(Struct, frozen=True):
    """What changed in a list of documents since the last change this consumer got.

    Attributes:
        inserted: documents whose key is new, in the order of the list.
        updated: documents that differ from what they were, in the order of the list.
        deleted: the last value of each document that is gone, by its key.
        moved: the keys of documents that keep their value at another place among the others.
        ts: the deployment's time of the state, ns since the epoch.
    """

    inserted: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    deleted: dict[Any, dict[str, Any]]
    moved: list[Any]
    ts: int
    _wire: bytes
    _type: Any

    def __repr__(self) -> str:
        """How many documents changed, not which: a list may have thousands."""
        counts = (
            f"{name}={len(getattr(self, name))}"
            for name in ("inserted", "updated", "deleted", "moved")
        )
        return f"<Change {' '.join(counts)} ts={self.ts}>"

    def value(self) -> Any:
        """The whole result, decoded when asked for."""
        return decode(self._wire, type=self._type)
