"""The outbox's SQLite file: its tables and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from convex_async.codec.values import decode
from convex_async.function_path import FunctionPath

if TYPE_CHECKING:
    pass


FORMAT = 1


# Request ids that are taken from the file at a time. The taking is forced to the disk, so that
# not even a power failure makes an id serve twice: the deployment would answer the second with
# what the first returned, and run nothing.
BLOCK = 1000


# Seconds for which the deployment remembers a request, less a day for clocks that differ.
REMEMBERED = 13 * 86400.0


_TABLES = """
CREATE TABLE outbox (
    only INTEGER PRIMARY KEY CHECK (only = 0), format INTEGER NOT NULL, deployment TEXT NOT NULL,
    session TEXT NOT NULL, next_request INTEGER NOT NULL
);
CREATE TABLE mutations (
    request INTEGER PRIMARY KEY, path TEXT NOT NULL, args BLOB NOT NULL, user TEXT,
    queued_at REAL NOT NULL, sent_at REAL, failure TEXT
);
"""


class OutboxEntry(Struct, frozen=True):
    """One mutation in an outbox.

    Attributes:
        request_id: its number in the session.
        path: of the function.
        user: as whom it runs, `issuer|subject` of the token; None if that was not known yet.
        queued_at: when it was called, seconds since the epoch.
        failure: why it will not be tried again; None while it waits.
    """

    request_id: int
    path: FunctionPath
    user: str | None
    queued_at: float
    failure: str | None
    wire: bytes

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, decoded afresh."""
        args: dict[str, Any] = decode(self.wire)
        return args

    def __repr__(self) -> str:
        state = "pending" if self.failure is None else f"failed: {self.failure}"
        return f"<OutboxEntry {self.request_id} {self.path!r} {state}>"
