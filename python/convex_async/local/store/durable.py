"""One SQLite file that holds what was committed, so that it survives the process."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from convex_async.local.store.documents import Commit, Document
from convex_async.local.store.secrets import Secrets

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, name TEXT NOT NULL, wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    session TEXT NOT NULL, request INTEGER NOT NULL, ts INTEGER NOT NULL, result BLOB NOT NULL,
    log_lines TEXT NOT NULL, PRIMARY KEY (session, request)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_ts ON requests (ts);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS clock (only INTEGER PRIMARY KEY CHECK (only = 0), ts INTEGER NOT NULL);
"""
# What tells our files from those of others ("cvxa"), and the form that they have now.
APPLICATION_ID = 0x63767861
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """The answer to a mutation, for when it is asked again.

    Attributes:
        session: session id and request id.
        result: wire bytes of its value.
        log_lines: a JSON array of strings.
        ts: of its commit, ns since the epoch.
    """

    session: tuple[str, int]
    ts: int
    result: bytes
    log_lines: bytes


class Durable:
    """The file; one thread writes it, so that the event loop never waits for the disk.

    It has one owner: who opens it keeps all others out until it is closed, or its process ends.

    Args:
        path: made if it is not there.

    Raises:
        OSError: it can't be opened, is no such file, or is open in another deployment.
    """

    def __init__(self, path: Path) -> None:
        # Not opened if it is there: closing it again would let go of this process's locks on it.
        with suppress(OSError):  # it is there, or can't be made: SQLite says why
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            self._connection = sqlite3.connect(
                path, timeout=0, check_same_thread=False, isolation_level=None
            )
        except sqlite3.Error as error:
            raise OSError(f"{path} can't be opened: {error}") from error
        try:
            self._own(path)
        except BaseException:
            self._connection.close()
            raise
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="convex-async store")

    def _own(self, path: Path) -> None:
        connection = self._connection
        try:
            # The lock that the first transaction takes is kept to the end.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
            is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            form = connection.execute("PRAGMA user_version").fetchone()[0]
            if not is_new and (not ours or form != FORMAT):
                what = f"in form {form}, not {FORMAT}" if ours else "of something else"
                raise OSError(f"{path} is no file of a local deployment's data, but {what}")
            _narrow(path)
            # With FULL a commit is on the disk once it returns: it survives a loss of power too.
            connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise OSError(
                    f"{path} is open in another deployment: a file has one at a time"
                ) from None
            raise OSError(f"{path} can't be opened: {error}") from error
        except sqlite3.DatabaseError as error:
            raise OSError(f"{path} is no file of a local deployment's data: {error}") from error

    def secrets(self) -> Secrets:
        """The secrets that are kept in the file."""
        return Secrets(_Kept(self._connection))

    def latest_ts(self) -> int:
        """The timestamp of the last commit; 0 before the first."""
        row = self._connection.execute("SELECT ts FROM clock").fetchone()
        return 0 if row is None else int(row[0])

    def table_numbers(self) -> dict[str, int]:
        """The number of each table in its ids."""
        return dict(self._connection.execute("SELECT name, number FROM numbers"))

    def documents(self) -> Iterator[Document]:
        """All documents."""
        for document_id, name, wire in self._connection.execute(
            "SELECT id, name, wire FROM documents"
        ):
            yield Document.of(name, document_id, wire)

    def requests(self) -> Iterator[RequestRecord]:
        """All answers that are kept, the oldest first."""
        for session_id, request_id, *rest in self._connection.execute(
            "SELECT session, request, ts, result, log_lines FROM requests ORDER BY ts"
        ):
            yield RequestRecord((session_id, request_id), *rest)

    async def write(
        self,
        commits: Sequence[Commit],
        numbers: dict[str, int],
        records: Sequence[RequestRecord],
        keep_after: int,
    ) -> None:
        """Write commits, all or none, and forget answers of before `keep_after` (ns)."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._writer, self._write, commits, dict(numbers), records, keep_after
        )

    def _write(
        self,
        commits: Sequence[Commit],
        numbers: dict[str, int],
        records: Sequence[RequestRecord],
        keep_after: int,
    ) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for write in (write for commit in commits for write in commit.writes):
                if write.after is not None:
                    after = write.after
                    connection.execute(
                        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
                        (after.document_id, after.table, after.wire),
                    )
                elif write.before is not None:
                    connection.execute(
                        "DELETE FROM documents WHERE id = ?", (write.before.document_id,)
                    )
            connection.executemany("INSERT OR IGNORE INTO numbers VALUES (?, ?)", numbers.items())
            connection.executemany(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?)",
                [(*r.session, r.ts, r.result, r.log_lines) for r in records],
            )
            connection.execute("DELETE FROM requests WHERE ts < ?", (keep_after,))
            connection.execute("INSERT OR REPLACE INTO clock VALUES (0, ?)", (commits[-1].ts,))
            connection.execute("COMMIT")
        except BaseException:
            # A full disk can have ended the transaction already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Finish what is being written, and close the file."""
        self._writer.shutdown(wait=True)
        self._connection.close()


class _Kept(MutableMapping[str, bytes]):
    """The table of secrets, which is read and written before anything else is."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getitem__(self, name: str) -> bytes:
        row = self._connection.execute("SELECT value FROM secrets WHERE name = ?", (name,))
        found: tuple[bytes] | None = row.fetchone()
        if found is None:
            raise KeyError(name)
        return found[0]

    def __setitem__(self, name: str, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (name, value))

    def __delitem__(self, name: str) -> None:
        self._connection.execute("DELETE FROM secrets WHERE name = ?", (name,))

    def __iter__(self) -> Iterator[str]:
        return (name for (name,) in self._connection.execute("SELECT name FROM secrets"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _narrow(path: Path) -> None:
    """Let the file, which has users' data and keys, be its owner's alone, and its log files."""
    for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if part.exists() and part.stat().st_mode & 0o077:
            part.chmod(0o600)
