"""One SQLite file that holds what was committed, so that it survives the process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from convex_async.local.store.documents import Commit, Document

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, name TEXT NOT NULL, wire BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    session TEXT NOT NULL, request INTEGER NOT NULL, ts INTEGER NOT NULL, result BLOB NOT NULL,
    log_lines TEXT NOT NULL, PRIMARY KEY (session, request)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_ts ON requests (ts);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock (only INTEGER PRIMARY KEY CHECK (only = 0), ts INTEGER NOT NULL);
"""


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

    Args:
        path: made if it is not there.

    Raises:
        OSError, sqlite3.Error: it can't be opened, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # With FULL a commit is on the disk once it returns: it survives a loss of power too.
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
