"""Mutations that outlive the process: one SQLite file with all that was not answered yet.

The file keeps what makes a mutation run once: the session id and the request ids, under which the
deployment remembers it for 14 days (convex-backend crates/application/src/session_requests.rs).
A process that is killed at any instant resumes under the same session, and sends the same
requests again.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convex_async.errors import ClientClosedError, OutboxError
from convex_async.function_path import FunctionPath
from convex_async.outbox.file import _TABLES, BLOCK, FORMAT, REMEMBERED, OutboxEntry
from convex_async.protocol.client.requests import RequestId

if TYPE_CHECKING:
    import sqlite3


class Outbox:
    """What `ConvexClient(outbox=path)` keeps: look at it as `client.outbox`.

    Mutations of an earlier process have nobody who awaits them: where one fails, it stays here,
    in `failed`, until `discard`.

    Args:
        path: the file, made at the client's first use if it is not there.
        deployment: the URL that it belongs to.
    """

    def __init__(self, path: str | os.PathLike[str], deployment: str) -> None:
        self.path = Path(path)
        self._deployment = deployment
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._in_flight: set[int] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._next = self._limit = 0
        self._on_discard: Callable[[RequestId], None] | None = None
        self.session_id = ""

    def __repr__(self) -> str:
        return f"<Outbox {str(self.path)!r} {'open' if self._connection else 'closed'}>"

    # What users look at

    @property
    def pending(self) -> list[OutboxEntry]:
        """The mutations without an answer, the oldest first."""
        return list(self._entries("failure IS NULL"))

    @property
    def failed(self) -> list[OutboxEntry]:
        """The mutations of earlier processes that failed, the oldest first."""
        return list(self._entries("failure IS NOT NULL"))

    def discard(self, entry: OutboxEntry) -> None:
        """Forget a mutation. A pending one may still run if it was sent before. Idempotent."""
        request_id = RequestId(entry.request_id)
        if self._on_discard is not None:
            self._on_discard(request_id)
        self._execute("DELETE FROM mutations WHERE request = ?", request_id)
        self.release(request_id)

    async def drained(self) -> None:
        """Wait until all that runs as the present user is answered, of earlier processes too.

        Raises:
            ClientClosedError: the client is closed first.
        """
        while self._in_flight:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    # What the client does

    def open(self) -> None:
        """Take the file, for this client alone, until `close`. Idempotent.

        Raises:
            OutboxError: another client has it, it is another deployment's, or no outbox.
            ClientClosedError: it was closed.
        """
        if self._connection is not None:
            return
        if self._closed:
            raise ClientClosedError()
        import sqlite3  # a tenth of the package's import: only for who has an outbox

        try:
            # Arguments are the user's own data: for the owner's eyes.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        try:
            self.session_id, first = self._claim(connection)
        except BaseException as error:
            connection.close()
            raise self._error(error) if isinstance(error, sqlite3.Error) else error from None
        self._connection = connection
        self._next = self._limit = first
        self._in_flight.clear()
        self._give_up_old()

    def on_discard(self, tell: Callable[[RequestId], None]) -> None:
        """Who is told of what `discard` takes out."""
        self._on_discard = tell

    def close(self) -> None:
        """Let go of the file for good; what is pending stays in it. Idempotent."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for waiter in self._take_waiters():
            waiter.set_exception(ClientClosedError())

    def next_request_id(self) -> RequestId:
        """An id that no request of the session has had.

        Raises:
            OutboxError: the file can't be written.
        """
        if self._next == self._limit:
            self._limit += BLOCK
            self._execute("PRAGMA synchronous=FULL")
            self._execute("UPDATE outbox SET next_request = ?", self._limit)
            self._execute("PRAGMA synchronous=NORMAL")
        self._next += 1
        return RequestId(self._next - 1)

    def add(
        self,
        request_id: RequestId,
        path: FunctionPath,
        args: bytes,
        *,
        user: str | None,
        sent: bool,
    ) -> None:
        """Keep a mutation before anything is sent.

        Args:
            args: wire bytes of the arguments object.
            user: as whom it runs; None if that is not known yet.
            sent: whether it may be on the wire any moment.

        Raises:
            OutboxError: the file can't be written: the mutation must not be sent.
        """
        now = time.time()
        self._execute(
            "INSERT INTO mutations VALUES (?, ?, ?, ?, ?, ?, NULL)",
            *(request_id, path, args, user, now, now if sent else None),
        )
        self._in_flight.add(request_id)

    def connected(self) -> None:
        """A socket is open: from now on, whatever is here may have been sent."""
        self._execute("UPDATE mutations SET sent_at = ? WHERE sent_at IS NULL", time.time())

    def take(self, user: str, *, is_token: bool) -> list[OutboxEntry]:
        """The mutations of earlier processes that are to run as this user, each once.

        Args:
            is_token: whether the user is one of a token: what was called before any token was
                had is then taken as that user's.
        """
        found = [
            entry
            for entry in self._entries("failure IS NULL")
            if entry.request_id not in self._in_flight
            and (entry.user == user or (entry.user is None and is_token))
        ]
        self._in_flight.update(entry.request_id for entry in found)
        return found

    def name_user(self, user: str) -> None:
        """The token is there: what this process called meanwhile runs as this user."""
        for request_id in self._in_flight:
            self._execute(
                "UPDATE mutations SET user = ? WHERE request = ? AND user IS NULL",
                *(user, request_id),
            )

    def forget(self, request_id: RequestId) -> None:
        """The request was answered, or withdrawn; nothing is done if it is not in here."""
        if request_id in self._in_flight:
            self._execute("DELETE FROM mutations WHERE request = ?", request_id)
            self.release(request_id)

    def fail(self, request_id: RequestId, failure: str) -> None:
        """The mutation failed, and nobody awaits it."""
        self._execute("UPDATE mutations SET failure = ? WHERE request = ?", failure, request_id)
        self.release(request_id)

    def release(self, request_id: RequestId) -> None:
        """The mutation is not under way any more; if it is pending still, `take` gives it again."""
        self._in_flight.discard(request_id)
        if not self._in_flight:
            for waiter in self._take_waiters():
                waiter.set_result(None)

    # How

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
            raise OutboxError(f"{self.path}: an outbox of another version, {file_format}")
        if deployment != self._deployment:
            raise OutboxError(
                f"{self.path}: the outbox of {deployment}; give {self._deployment} one of its own"
            )
        return session_id, first

    def _give_up_old(self) -> None:
        self._execute(
            "UPDATE mutations SET failure = ? WHERE failure IS NULL AND sent_at < ?",
            "it was sent so long ago that the deployment no longer knows whether it ran",
            time.time() - REMEMBERED,
        )

    def _take_waiters(self) -> Iterator[asyncio.Future[None]]:
        waiters, self._waiters = self._waiters, []
        return (waiter for waiter in waiters if not waiter.done())

    def _entries(self, condition: str) -> Iterator[OutboxEntry]:
        self.open()
        rows = self._execute(
            "SELECT request, path, user, queued_at, failure, args FROM mutations "
            f"WHERE {condition} ORDER BY request"
        )
        return (OutboxEntry(*row) for row in rows)

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        if self._connection is None:
            return []  # after close: what is pending stays as it is
        import sqlite3

        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> OutboxError:
        if str(error) == "database is locked":
            return OutboxError(
                f"{self.path}: another client has this outbox; it has one owner at a time"
            )
        return OutboxError(f"{self.path}: {error}")
