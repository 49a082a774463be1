"""The outbox's SQLite file: its tables and its rows. All of it runs in the outbox's own thread."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from convex_async.codec.values import decode
from convex_async.errors import CodecError, OutboxError
from convex_async.function_path import FunctionPath, canonical_path

if TYPE_CHECKING:
    import sqlite3

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

Statement: TypeAlias = tuple[str, tuple[Any, ...]]


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


class Contents(Struct, frozen=True):
    """What an outbox holds as it is opened.

    Attributes:
        first_id: the first request id that no request of the session has had.
        is_all_sent: whether all that is pending may have been sent before.
    """

    session_id: str
    first_id: int
    entries: list[OutboxEntry]
    is_all_sent: bool


class OutboxFile:
    """The file of one outbox, for one owner at a time.

    Args:
        path: made if it is not there.
        deployment: the URL that it belongs to.
    """

    def __init__(self, path: Path, deployment: str) -> None:
        self._path = path
        self._deployment = deployment
        self._connection: sqlite3.Connection | None = None

    def open(self) -> Contents:
        """Take the file, until `close`.

        Raises:
            OutboxError: another client has it, it is another deployment's, or no outbox.
        """
        import sqlite3  # a tenth of the package's import: only for who has an outbox

        try:
            # Arguments are the user's own data: for the owner's eyes. A file that is there is not
            # opened, as closing it again would let go of this process's locks on it.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            if self._path.stat().st_mode & 0o077:
                self._path.chmod(0o600)
            connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=0, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        try:
            session_id, first_id = self._claim(connection)
            contents = Contents(
                session_id,
                first_id,
                self._read(connection),
                not connection.execute(
                    "SELECT 1 FROM mutations WHERE failure IS NULL AND sent_at IS NULL"
                ).fetchone(),
            )
        except BaseException as error:
            connection.close()
            raise self._error(error) if isinstance(error, sqlite3.Error) else error from None
        self._connection = connection
        return contents

    def write(self, statements: Sequence[Statement], *, reserve: int | None) -> None:
        """Do all of it, or nothing; a `kill -9` takes nothing back once this returns.

        Args:
            reserve: the request id up to which ids are taken; None if there are enough.

        Raises:
            OutboxError: the file can't be written.
        """
        import sqlite3

        connection = self._connection
        assert connection is not None
        try:
            if reserve is not None:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("UPDATE outbox SET next_request = ?", (reserve,))
                connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("BEGIN")
            try:
                for statement, values in statements:
                    connection.execute(statement, values)
                connection.execute("COMMIT")
            except BaseException:
                # A full disk can have ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _claim(self, connection: sqlite3.Connection) -> tuple[str, int]:
        """The session id, and the first request id that this process may use."""
        # Exclusive for as long as the connection is open; the system releases it with the process.
        # In WAL mode a commit survives kill -9 once it returns.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN EXCLUSIVE")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            row = (FORMAT, self._deployment, str(uuid.uuid4()), 0)
            connection.execute("INSERT INTO outbox VALUES (0, ?, ?, ?, ?)", row)
        found = connection.execute("SELECT format, deployment, session, next_request FROM outbox")
        file_format, deployment, session_id, first = found.fetchone()
        connection.execute("COMMIT")
        if file_format != FORMAT:
            raise OutboxError(f"{self._path}: an outbox of another version, {file_format}")
        if deployment != self._deployment:
            raise OutboxError(
                f"{self._path}: the outbox of {deployment}; give {self._deployment} one of its own"
            )
        return session_id, first

    def _read(self, connection: sqlite3.Connection) -> list[OutboxEntry]:
        """The rows, the oldest first; what is too old or can't be read is given up."""
        connection.execute(
            "UPDATE mutations SET failure = ? WHERE failure IS NULL AND sent_at < ?",
            (
                "it was sent so long ago that the deployment no longer knows whether it ran",
                time.time() - REMEMBERED,
            ),
        )
        entries: list[OutboxEntry] = []
        for row in connection.execute(
            "SELECT request, path, user, queued_at, failure, args FROM mutations ORDER BY request"
        ).fetchall():
            request_id, path, user, queued_at, failure, args = row
            unreadable = _unreadable(path, user, queued_at, args)
            if unreadable is not None:
                failure = failure or f"it can't be read: {unreadable}"
                connection.execute(
                    "UPDATE mutations SET failure = ? WHERE request = ?", (failure, request_id)
                )
                path, args = _text(path), args if isinstance(args, bytes) else b"{}"
                user, queued_at = _text(user) if user is not None else None, 0.0
            entries.append(
                OutboxEntry(request_id, FunctionPath(path), user, queued_at, failure, args)
            )
        return entries

    def _error(self, error: Exception) -> OutboxError:
        if str(error) == "database is locked":
            return OutboxError(
                f"{self._path}: another client has this outbox; it has one owner at a time"
            )
        return OutboxError(f"{self._path}: {error}")


def _unreadable(path: object, user: object, queued_at: object, args: object) -> str | None:
    """Why a row is no mutation that could be sent, or None: other programs may write the file."""
    if not isinstance(path, str) or not isinstance(args, bytes):
        return "its path or its arguments are of another type"
    if not isinstance(user, str | None) or not isinstance(queued_at, float):
        return "its user or its time is of another type"
    try:
        if canonical_path(path) != path:
            return f"{path!r} is not the plain spelling of a function's path"
        if not isinstance(decode(args), dict):
            return "its arguments are no object"
    except (CodecError, ValueError) as error:
        return str(error)
    return None


def _text(found: object) -> str:
    return found if isinstance(found, str) else repr(found)
