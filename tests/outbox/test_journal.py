"""The journal of an outbox: all is in the file before it is sent, and the loop kept free."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from convex_async import ClientClosedError, ConvexClient, OutboxError
from convex_async.function_path import FunctionPath
from convex_async.local import LocalDeployment
from convex_async.outbox import journal as journal_module
from convex_async.outbox.file import OutboxFile, Statement
from convex_async.outbox.journal import FileJournal
from convex_async.protocol.client.requests import RequestId

URL = "http://127.0.0.1:9"
ADD = FunctionPath("notes:add")


class Told:
    """What a journal tells the client."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.failed: list[int] = []
        self.changed = asyncio.Event()

    def keep(self, up_to: RequestId) -> None:
        self.kept.append(up_to)
        self.changed.set()

    def fail(self, request_id: RequestId, error: OutboxError) -> None:
        self.failed.append(request_id)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def journal(path: Path, told: Told) -> AsyncIterator[FileJournal]:
    journal = FileJournal(path, URL)
    await journal.open()
    journal.begin(told.keep, told.fail)
    yield journal
    await journal.close()


def rows(path: Path, columns: str = "request") -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as file:
        found = file.execute(f"SELECT {columns} FROM mutations ORDER BY request").fetchall()
    file.close()
    return found


async def test_ids_are_taken_from_the_file_before_they_are_used(path: Path) -> None:
    ids: set[int] = set()
    for _ in range(3):
        journal = FileJournal(path, URL)
        await journal.open()
        new = {int(journal.next_id()) for _ in range(1500)}
        assert not new & ids
        ids |= new
        await journal.close()
        with pytest.raises(ClientClosedError):
            journal.entries(failed=False)


async def test_a_mutation_is_in_the_file_before_it_may_be_sent(
    path: Path, journal: FileJournal, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []  # mutations written, and told of, after each write
    write = OutboxFile.write

    def watched(self: OutboxFile, statements: list[Statement], *, reserve: int | None) -> None:
        write(self, statements, reserve=reserve)
        assert self._connection is not None
        (count,) = self._connection.execute("SELECT count(*) FROM mutations").fetchone()
        seen.append((count, len(told.kept) - 1))

    monkeypatch.setattr(OutboxFile, "write", watched)
    for number in range(3):
        request_id = journal.next_id()
        journal.add(request_id, ADD, b"{}", user="nobody")
        await told.until(lambda number=number: told.kept[-1] == number)  # type: ignore[misc]
    assert told.kept == [-1, 0, 1, 2]
    assert seen == [(1, 0), (2, 1), (3, 2)]


async def test_what_one_turn_notes_is_written_together(
    journal: FileJournal, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = OutboxFile.write

    def counted(self: OutboxFile, statements: list[Statement], *, reserve: int | None) -> None:
        writes.append(len(statements))
        write(self, statements, reserve=reserve)

    monkeypatch.setattr(OutboxFile, "write", counted)
    for _ in range(10):
        journal.add(journal.next_id(), ADD, b"{}", user="nobody")
    journal.add_unnoted(journal.next_id())
    await told.until(lambda: told.kept[-1] == 10)
    assert writes == [10]
    assert told.kept == [-1, 10]
    journal.add_unnoted(journal.next_id())  # nothing is under way: it may go at once
    assert told.kept[-1] == 11


async def test_a_file_that_can_not_be_written_fails_who_waits_and_no_more(
    path: Path, journal: FileJournal, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "AGAIN", 0.01)
    first = journal.next_id()
    journal.add(first, ADD, b"{}", user="nobody")
    await told.until(lambda: told.kept[-1] == first)
    write, full = OutboxFile.write, True

    def refused(self: OutboxFile, statements: list[Statement], *, reserve: int | None) -> None:
        if full:
            raise OutboxError("disk full")
        write(self, statements, reserve=reserve)

    monkeypatch.setattr(OutboxFile, "write", refused)
    journal.forget(first)
    second = journal.next_id()
    journal.add(second, ADD, b"{}", user="nobody")
    await told.until(lambda: told.kept[-1] == second)
    assert told.failed == [second]
    assert journal.entries(failed=False) == []
    full = False
    third = journal.next_id()
    journal.add(third, ADD, b"{}", user="nobody")
    await told.until(lambda: told.kept[-1] == third)
    assert told.failed == [second]
    await journal.close()
    assert rows(path) == [(third,)]  # the first was forgotten after all


async def test_what_was_called_before_the_token_gets_its_user(
    path: Path, journal: FileJournal, told: Told
) -> None:
    early, other = journal.next_id(), journal.next_id()
    journal.add(early, ADD, b"{}", user=None)
    journal.add(other, ADD, b"{}", user="x|bob")
    journal.name_user("x|ada")
    assert [entry.user for entry in journal.entries(failed=False)] == ["x|ada", "x|bob"]
    await journal.close()
    assert rows(path, "user") == [("x|ada",), ("x|bob",)]


async def test_what_waits_is_marked_as_sent_before_a_socket_gets_it(
    path: Path, journal: FileJournal, told: Told
) -> None:
    waiting = journal.next_id()
    journal.add(waiting, ADD, b"{}", user="nobody")
    assert journal.connected()  # it has to wait
    kept = len(told.kept)
    await told.until(lambda: len(told.kept) > kept)
    later = journal.next_id()
    journal.add(later, ADD, b"{}", user="nobody")
    await told.until(lambda: told.kept[-1] == later)
    journal.disconnected()
    assert not journal.connected()  # all is marked
    await journal.close()
    assert [sent is not None for (sent,) in rows(path, "sent_at")] == [True, True]


async def test_a_socket_that_opens_during_a_write_waits_for_the_mark(
    journal: FileJournal, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = OutboxFile.write
    marked: list[tuple[bool, int]] = []

    def noted(self: OutboxFile, statements: list[Statement], *, reserve: int | None) -> None:
        marked.append((any("sent_at = ?" in text for text, _ in statements), len(told.kept)))
        write(self, statements, reserve=reserve)

    monkeypatch.setattr(OutboxFile, "write", noted)
    journal.add(journal.next_id(), ADD, b"{}", user="nobody")
    await asyncio.sleep(0)  # the write begins
    assert journal.connected()
    await told.until(lambda: told.kept[-1] == 0)
    assert marked == [(False, 1), (True, 1)]  # nothing was let go between the two


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("path", "no path at all"),
        ("path", b"notes:add"),
        ("args", b"{"),
        ("args", b"[]"),
        ("args", "{}"),
        ("queued_at", "yesterday"),
        ("user", b"x"),
    ],
)
async def test_a_row_that_can_not_be_read_is_moved_to_failed(
    deployment: LocalDeployment, path: Path, column: str, value: object
) -> None:
    async with ConvexClient(deployment.url, outbox=path) as client:
        call = asyncio.ensure_future(client.mutation("notes:add", {"text": "lost"}))
        await asyncio.sleep(0)
        await client.close(drain=False)
        await asyncio.gather(call, return_exceptions=True)
    with sqlite3.connect(path) as file:
        file.execute(
            "INSERT OR REPLACE INTO mutations VALUES (0, 'notes:add', ?, NULL, 1.0, NULL, NULL)",
            (b"{}",),
        )
        file.execute(f"UPDATE mutations SET {column} = ?", (value,))
    file.close()
    for _ in range(2):
        async with ConvexClient(deployment.url, outbox=path) as client:
            await client.mutation("notes:touch")
            await client.outbox.drained()
            assert client.outbox.pending == []
            (entry,) = client.outbox.failed
            assert "it can't be read" in (entry.failure or "")
            assert repr(entry)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_a_file_that_others_may_read_is_narrowed(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    assert mode_of(path) == 0o644
    async with ConvexClient(URL, outbox=path):
        assert mode_of(path) == 0o600


def test_memory_is_no_outbox() -> None:
    for path in (":memory:", "", "file::memory:?cache=shared"):
        with pytest.raises(ValueError, match="outlives the process"):
            ConvexClient(URL, outbox=path)


# A disk that takes its time


SLOW = 0.15


class SlowConnection(sqlite3.Connection):
    """Every commit that is forced to the disk takes long, and so does making and closing."""

    is_forced = False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.startswith("PRAGMA synchronous="):
            self.is_forced = statement.endswith("FULL")
        elif self.is_forced or statement.startswith(("PRAGMA journal_mode", "COMMIT")):
            time.sleep(SLOW)
        return super().execute(statement, *values)

    def close(self) -> None:
        time.sleep(SLOW)
        super().close()


async def longest_stall(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """The longest time for which the loop did nothing else, in seconds."""
    task = asyncio.ensure_future(work())
    longest, before = 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.002)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    await task
    return longest


async def test_a_slow_disk_does_not_stop_the_loop(
    deployment: LocalDeployment, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ConvexClient(deployment.url) as client:
        await client.query("notes:list")  # what is imported is
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kw: connect(*args, factory=SlowConnection, **kw)
    )

    async def use() -> None:
        async with ConvexClient(deployment.url, outbox=path) as client:
            await client.mutation("notes:add", {"text": "slow"})
            assert await client.action("notes:echo", {"value": 1}) == 1
            await asyncio.gather(
                *(client.mutation("notes:add", {"text": str(n)}) for n in range(3))
            )

    began = time.perf_counter()
    stall = await longest_stall(use)
    assert time.perf_counter() - began > 4 * SLOW  # the disk was slow
    assert stall < SLOW * 0.8


@pytest.mark.trap(2)
async def test_a_kept_session_goes_on_counting_its_requests(tmp_path: Path) -> None:
    """The session id and the next request id are kept together: a reused one runs nothing."""
    first = FileJournal(tmp_path / "outbox", URL)
    await first.open()
    used = [first.next_id() for _ in range(3)]
    await first.close()
    second = FileJournal(tmp_path / "outbox", URL)
    await second.open()
    assert second.session_id == first.session_id
    assert second.next_id() > max(used)
    await second.close()


@pytest.mark.trap(3)
async def test_a_kept_session_has_one_owner_at_a_time(tmp_path: Path) -> None:
    """A session id in a file is one client's until it closes."""
    owner, other = (FileJournal(tmp_path / "outbox", URL) for _ in range(2))
    await owner.open()
    with pytest.raises(OutboxError, match="another client"):
        await other.open()
    await owner.close()
    await other.open()
    await other.close()
