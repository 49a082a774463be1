"""One SQLite file that holds what was committed, so that it survives the process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from convex_async.local.store import Commit, Document

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, name TEXT NOT NULL, wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    session TEXT NOT NULL, request INTEGER NOT NULL, ts INTEGER NOT NULL, result BLOB NOT NULL,
    log_lines TEXT NOT NULL, PRIMARY KEY (session, request)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock (only INTEGER PRIMARY KEY CHECK (only = 0), ts INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """The answer to a mutation, for when it is asked again.

    Attributes:
        result: wire bytes of its value.
        log_lines: a JSON array of strings.
        ts: of its commit, ns since the epoch.
    """

    session_id: str
    request_id: int
    ts: int
    result: bytes
    log_lines: bytes


class Durable:
    """The file; one thread writes it, so that the event loop never waits for the disk.

    Args:
        path: made if it is not there.

    Raises:
        OSError, sqlite3.Error: it can't be opened, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # In WAL mode a commit is in the file once it returns: it survives kill -9.
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        self._connection.executescript(_TABLES)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="convex-async store")

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
        """All answers that are kept."""
        for row in self._connection.execute(
            "SELECT session, request, ts, result, log_lines FROM requests"
        ):
            yield RequestRecord(*row)

    async def write(
        self, commit: Commit, numbers: dict[str, int], record: RequestRecord | None, keep_after: int
    ) -> None:
        """Write a commit, all or nothing, and forget answers of before `keep_after` (ns)."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._writer, self._write, commit, dict(numbers), record, keep_after
        )

    def _write(
        self, commit: Commit, numbers: dict[str, int], record: RequestRecord | None, keep_after: int
    ) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for write in commit.writes:
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
            if record is not None:
                connection.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, ?, ?)",
                    (
                        record.session_id,
                        record.request_id,
                        record.ts,
                        record.result,
                        record.log_lines,
                    ),
                )
                connection.execute("DELETE FROM requests WHERE ts < ?", (keep_after,))
            connection.execute("INSERT OR REPLACE INTO clock VALUES (0, ?)", (commit.ts,))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Finish what is being written, and close the file."""
        self._writer.shutdown(wait=True)
        self._connection.close()
