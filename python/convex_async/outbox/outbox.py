"""Mutations that outlive the process: one SQLite file with all that was not answered yet.

The file keeps what makes a mutation run once: the session id and the request ids, under which the
deployment remembers it for 14 days (convex-backend crates/application/src/session_requests.rs).
A process that is killed at any instant resumes under the same session, and sends the same
requests again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from convex_async.outbox.file import OutboxEntry
from convex_async.outbox.journal import FileJournal
from convex_async.protocol.client.requests import RequestId


def outbox_path(path: str | os.PathLike[str]) -> Path:
    """The path of an outbox.

    Raises:
        ValueError: it names none: SQLite's own names for memory are no files.
    """
    text = os.fspath(path)
    if not text or text == ":memory:" or text.startswith("file:"):
        raise ValueError(f"an outbox outlives the process: give the path of a file, not {text!r}")
    return Path(path)


class Outbox:
    """What `ConvexClient(outbox=path)` keeps: look at it as `client.outbox`.

    Mutations of an earlier process have nobody who awaits them: where one fails, it stays here,
    in `failed`, until `discard`.
    """

    def __init__(
        self, path: Path, journal: FileJournal, withdraw: Callable[[RequestId], None]
    ) -> None:
        self.path = path
        self._journal = journal
        self._withdraw = withdraw

    def __repr__(self) -> str:
        return f"<Outbox {str(self.path)!r} {'open' if self._journal.is_open else 'closed'}>"

    @property
    def pending(self) -> list[OutboxEntry]:
        """The mutations without an answer, the oldest first."""
        return self._journal.entries(failed=False)

    @property
    def failed(self) -> list[OutboxEntry]:
        """The mutations of earlier processes that failed, the oldest first."""
        return self._journal.entries(failed=True)

    def discard(self, entry: OutboxEntry) -> None:
        """Forget a mutation. A pending one may still run if it was sent before. Idempotent."""
        request_id = RequestId(entry.request_id)
        self._withdraw(request_id)
        self._journal.discard(request_id)

    async def drained(self) -> None:
        """Wait until all that runs as the present user is answered, of earlier processes too.

        Raises:
            ClientClosedError: the client is closed first.
        """
        await self._journal.drained()
