"""What a client notes of its mutations, so that they outlive the process; or does not note."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from convex_async.errors import ClientClosedError, OutboxError
from convex_async.function_path import FunctionPath
from convex_async.outbox.file import BLOCK, Contents, OutboxEntry, OutboxFile, Statement
from convex_async.outbox.no_journal import NoJournal as NoJournal
from convex_async.outbox.no_journal import NumberedJournal as NumberedJournal
from convex_async.protocol.client.requests import RequestId


class _Note(Struct):
    """One thing to do with the file; without a statement, only its turn counts."""

    statement: Statement | None
    request_id: RequestId | None = None  # of a request that waits for it
    marks_sent: bool = False


# Seconds until what could not be written, and nobody waits for, is tried again.
AGAIN = 1.0


class FileJournal(NoJournal):
    """Notes in a file, which a thread of its own writes: the event loop never waits for a disk.

    All of it is in memory too, so that looking at it reads nothing. What is noted during one
    write goes into the next, together.

    Args:
        path: the file, made if it is not there.
        deployment: the URL that it belongs to.
    """

    is_kept = True

    def __init__(self, path: Path, deployment: str) -> None:
        self._path = path
        self._file = OutboxFile(path, deployment)
        self._thread: ThreadPoolExecutor | None = None
        self._opening: Future[Contents] | None = None
        self._closing: Future[None] | None = None
        self._entries: dict[int, OutboxEntry] = {}
        self._in_flight: set[int] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._notes: list[_Note] = []
        self._reserve: int | None = None
        self._reserving: int | None = None
        self._writing: list[_Note] | None = None
        self._is_marking = False
        self._next = self._limit = 0
        self._last = RequestId(-1)
        self._is_online = False
        self._is_all_sent = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: Callable[[RequestId], None] = _nothing
        self._failed: Callable[[RequestId, OutboxError], None] = _nothing

    # Opening

    @property
    def is_open(self) -> bool:
        """Whether the file is there to be read and written."""
        return self.session_id is not None and self._closing is None

    async def open(self) -> None:
        """Take the file, for this client alone, until `close`. Idempotent.

        Raises:
            OutboxError: another client has it, it is another deployment's, or no outbox.
            ClientClosedError: it was closed.
        """
        opening = self._begin_opening()
        if not self.is_open:
            try:
                self._load(await asyncio.shield(asyncio.wrap_future(opening)))
            except OutboxError as error:
                self._opening = None  # it may be free the next time
                raise OutboxError(str(error)) from error.__cause__

    def open_now(self) -> None:
        """The same for who can't await: waits for the disk."""
        opening = self._begin_opening()
        if not self.is_open:
            try:
                self._load(opening.result())
            except OutboxError as error:
                self._opening = None
                raise OutboxError(str(error)) from error.__cause__

    def _begin_opening(self) -> Future[Contents]:
        if self._closing is not None:
            raise ClientClosedError()
        if self._opening is None:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="convex-async outbox")
            self._opening = self._thread.submit(self._file.open)
        return self._opening

    def _load(self, contents: Contents) -> None:
        if self.session_id is None:
            self.session_id = contents.session_id
            self._next = self._limit = contents.first_id
            self._last = RequestId(contents.first_id - 1)
            self._entries = {entry.request_id: entry for entry in contents.entries}
            self._is_all_sent = contents.is_all_sent

    # What users look at

    def entries(self, *, failed: bool) -> list[OutboxEntry]:
        """The mutations that failed, or those without an answer; the oldest first."""
        self.open_now()
        return [entry for entry in self._entries.values() if (entry.failure is None) != failed]

    async def drained(self) -> None:
        """Wait until nothing is under way.

        Raises:
            ClientClosedError: the client is closed first.
        """
        while self._in_flight:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def discard(self, request_id: RequestId) -> None:
        """Forget a mutation, whether it is under way or not."""
        if self._entries.pop(request_id, None) is not None:
            self._note("DELETE FROM mutations WHERE request = ?", request_id)
        self.release(request_id)

    # What the client does

    def begin(
        self, kept: Callable[[RequestId], None], failed: Callable[[RequestId, OutboxError], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            self._begin_again()
        self._loop = loop
        self._kept, self._failed = kept, failed
        kept(self._last)

    def _begin_again(self) -> None:
        """The loop has ended that was to write and to be told: what it left is written now."""
        self._writing, self._is_online, self._is_marking = None, False, False
        self._in_flight.clear()
        with contextlib.suppress(OutboxError):
            self._submit().result()
        self._last = RequestId(self._next - 1)

    def next_id(self) -> RequestId:
        if self._next == self._limit:
            self._limit += BLOCK
            self._reserve = self._limit
        self._next += 1
        return RequestId(self._next - 1)

    def add(
        self, request_id: RequestId, path: FunctionPath, args: bytes, *, user: str | None
    ) -> None:
        now = time.time()
        sent = now if self._is_online else None
        self._is_all_sent &= sent is not None
        self._entries[request_id] = OutboxEntry(request_id, path, user, now, None, args)
        self._in_flight.add(request_id)
        self._note(
            "INSERT INTO mutations VALUES (?, ?, ?, ?, ?, ?, NULL)",
            *(request_id, path, args, user, now, sent),
            request_id=request_id,
        )

    def add_unnoted(self, request_id: RequestId) -> None:
        if self._reserve is None and not self._notes and self._writing is None:
            self._last = request_id
            self._kept(request_id)
        else:
            self._notes.append(_Note(None, request_id))
            self._write_soon()

    def connected(self) -> bool:
        # From now on, whatever is here may have been sent.
        self._is_online = True
        if self._is_all_sent:
            return False
        self._is_all_sent = self._is_marking = True
        self._note(
            "UPDATE mutations SET sent_at = ? WHERE sent_at IS NULL", time.time(), marks_sent=True
        )
        return True

    def disconnected(self) -> None:
        self._is_online = False

    def take(self, user: str, *, is_token: bool) -> list[OutboxEntry]:
        # What was called before any token was had is the first token's user's.
        found = [
            entry
            for entry in self._entries.values()
            if entry.failure is None
            and entry.request_id not in self._in_flight
            and (entry.user == user or (entry.user is None and is_token))
        ]
        self._in_flight.update(entry.request_id for entry in found)
        return found

    def name_user(self, user: str) -> None:
        for request_id in self._in_flight:
            if self._entries[request_id].user is None:
                self._entries[request_id] = replace(self._entries[request_id], user=user)
                self._note(
                    "UPDATE mutations SET user = ? WHERE request = ? AND user IS NULL",
                    *(user, request_id),
                )

    def forget(self, request_id: RequestId) -> None:
        if request_id in self._in_flight:
            self.discard(request_id)

    def fail(self, request_id: RequestId, failure: str) -> None:
        self._entries[request_id] = replace(self._entries[request_id], failure=failure)
        self._note("UPDATE mutations SET failure = ? WHERE request = ?", failure, request_id)
        self.release(request_id)

    def release(self, request_id: RequestId) -> None:
        self._in_flight.discard(request_id)
        if not self._in_flight:
            for waiter in self._take_waiters():
                waiter.set_result(None)

    async def close(self) -> None:
        if (closing := self.close_soon()) is not None:
            await asyncio.wrap_future(closing)

    def close_soon(self) -> Future[None] | None:
        for waiter in self._take_waiters():
            waiter.set_exception(ClientClosedError())
        if self._closing is None:
            if self._thread is None:
                self._closing = Future()
                self._closing.set_result(None)
                return self._closing
            if self.is_open and (self._notes or self._reserve is not None):
                self._submit()
            self._closing = self._thread.submit(self._file.close)
            self._thread.shutdown(wait=False)
        return self._closing

    # Writing

    def _note(
        self,
        statement: str,
        *values: object,
        request_id: RequestId | None = None,
        marks_sent: bool = False,
    ) -> None:
        if self._closing is not None:
            return  # what is pending stays as it is
        self._notes.append(_Note((statement, values), request_id, marks_sent))
        if self._loop is None:
            self._submit().result()  # the client is not in use yet
        else:
            self._write_soon()

    def _write_soon(self) -> None:
        """Write when this turn of the loop is over, all that it notes together."""
        if self._loop is not None and self._writing is None:
            self._writing = []
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        if self._closing is None and (self._notes or self._reserve is not None):
            self._writing = self._notes
            self._submit().add_done_callback(self._tell)
        else:
            self._writing = None

    def _submit(self) -> Future[None]:
        assert self._thread is not None
        notes, self._notes = self._notes, []
        self._reserving, self._reserve = self._reserve, None
        statements = [note.statement for note in notes if note.statement is not None]
        return self._thread.submit(self._file.write, statements, reserve=self._reserving)

    def _tell(self, written: Future[None]) -> None:
        """In the writing thread: let the loop know."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._written, written)

    def _written(self, written: Future[None]) -> None:
        notes, self._writing = self._writing or [], None
        if self._closing is not None:
            return
        error = written.exception()
        if error is not None:
            self._not_written(notes, error)
        elif any(note.marks_sent for note in notes):
            self._is_marking = False
        self._last = max([self._last, *(n.request_id for n in notes if n.request_id is not None)])
        if not self._is_marking:
            self._kept(self._last)
        if error is None and self._notes:
            self._write_soon()

    def _not_written(self, notes: list[_Note], error: BaseException) -> None:
        """Tell those who wait; what nobody waits for is tried again, later or with what comes."""
        told = error if isinstance(error, OutboxError) else OutboxError(f"{self._path}: {error!r}")
        if self._reserve is None:
            self._reserve = self._reserving
        for note in notes:
            if note.request_id is None:
                continue
            if note.statement is not None or self._reserving is not None:
                self._entries.pop(note.request_id, None)
                self.release(note.request_id)
                self._failed(note.request_id, told)
        self._notes[:0] = [note for note in notes if note.request_id is None]
        if self._loop is not None:
            self._loop.call_later(AGAIN, self._write_soon)

    def _take_waiters(self) -> Iterator[asyncio.Future[None]]:
        waiters, self._waiters = self._waiters, []
        return (waiter for waiter in waiters if not waiter.done())


def _nothing(*_: object) -> None:
    """Nobody is told."""
