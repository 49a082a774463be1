"""A file of one document a line into a deployment, each line once, however often it is begun.

The lines go in batches, one mutation each. Where a batch begins depends on the file alone, and
batch number n is always request number n of one session, which is written down before the first is
sent. Whoever resumes sends the batches that are not known to be done again, under their old
numbers: the deployment runs a request of a session once, and answers the second with what the first
gave (convex-backend crates/application/src/session_requests.rs, for 14 days).
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from convex_async.client.convex_client import ConvexClient
from convex_async.codec.values import decode
from convex_async.errors import CodecError, ConvexClientError, FunctionError

# Lines and bytes of a batch: far within what a mutation may take and write.
MAX_LINES = 500
MAX_BYTES = 2 * 2**20
# Batches without an answer.
IN_FLIGHT = 4
# Seconds for which the deployment knows the requests, less a day for clocks that differ.
REMEMBERED = 13 * 86400.0
SYSTEM_FIELDS = ("_id", "_creationTime")


class ImportFailed(ConvexClientError):
    """The import can't go on; what was imported stays, and is not imported again."""


class Progress(Struct):
    """How far an import is.

    Attributes:
        batches: that are done, from the first on.
        rows: of them.
        offset: the byte of the file where the next batch begins.
    """

    batches: int = 0
    rows: int = 0
    offset: int = 0


class _State(Struct):
    """What is kept beside the file while it is imported."""

    session_id: str
    began_at: float
    target: str
    size: int
    modified_ns: int
    done: Progress


class _Batch(Struct):
    number: int
    first_line: int
    end: int
    rows: list[Any]


def state_path(source: str | os.PathLike[str]) -> Path:
    """Where the state of a file's import is, while it is under way."""
    path = Path(source)
    return path.with_name(f"{path.name}.import")


async def import_lines(
    client: ConvexClient,
    source: str | os.PathLike[str],
    path: str,
    *,
    key: str,
    args: Mapping[str, Any] | None = None,
    restart: bool = False,
    keep_system_fields: bool = False,
    progress: Callable[[Progress], object] | None = None,
) -> Progress:
    """Import a file of one JSON document a line; the same call again resumes it.

    Args:
        client: a new one, which is used for nothing else before and meanwhile.
        path: of a mutation that takes a list of rows.
        key: the name of that argument.
        args: its other arguments.
        restart: forget an earlier import of the file, and begin anew.
        keep_system_fields: give `_id` and `_creationTime` along, which an export has.
        progress: called after each batch.

    Raises:
        ImportFailed: a line is no JSON, a batch was refused, or the file is another than before.
        TransportError, AuthError, OSError: as they say; calling again resumes.
    """
    source = Path(source)
    note = state_path(source)
    state = _state(source, note, f"{client.url} {path} {key}", restart)
    done = state.done
    client._driver.number_requests(state.session_id, first=done.batches)
    await client.connect()
    waiting: deque[tuple[_Batch, asyncio.Task[Any]]] = deque()

    async def settle() -> None:
        batch, task = waiting[0]
        try:
            await task
        except FunctionError as error:
            last = batch.first_line + len(batch.rows) - 1
            raise ImportFailed(f"lines {batch.first_line} to {last}: {error}") from error
        waiting.popleft()
        done.batches, done.offset = batch.number + 1, batch.end
        done.rows += len(batch.rows)
        _write(note, state)
        if progress is not None:
            progress(done)

    try:
        with source.open("rb") as file:  # noqa: ASYNC230 - a batch of lines at a time
            for batch in _batches(file, done, keep_system_fields):
                if len(waiting) == IN_FLIGHT:
                    await settle()
                call = client.mutation(path, {**(args or {}), key: batch.rows}, timeout=None)
                waiting.append((batch, asyncio.create_task(call)))
                await asyncio.sleep(0)  # the requests are numbered in this order
            while waiting:
                await settle()
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)
    note.unlink()
    return done


def _state(source: Path, note: Path, target: str, restart: bool) -> _State:
    about = source.stat()
    if restart:
        note.unlink(missing_ok=True)
    if not note.exists():
        state = _State(
            str(uuid.uuid4()), time.time(), target, about.st_size, about.st_mtime_ns, Progress()
        )
        _write(note, state)
        return state
    state = msgspec.json.decode(note.read_bytes(), type=_State)
    if state.target != target:
        raise ImportFailed(f"{note} is of an import into {state.target}: finish that, or --restart")
    if (state.size, state.modified_ns) != (about.st_size, about.st_mtime_ns):
        raise ImportFailed(f"{source} changed since its import began: put it back, or --restart")
    if time.time() - state.began_at > REMEMBERED:
        raise ImportFailed(
            f"the import of {source} began so long ago that the deployment no longer knows what "
            "of it was done: look what is there, then --restart"
        )
    return state


def _write(note: Path, state: _State) -> None:
    """Replace the state in one step; a process that is killed leaves the old one or the new one."""
    part = note.with_name(f"{note.name}.part")
    with part.open("wb") as file:
        file.write(msgspec.json.encode(state))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, note)


def _batches(file: BinaryIO, done: Progress, keep_system_fields: bool) -> Iterator[_Batch]:
    """The batches from where the state says, cut by the lines alone."""
    file.seek(done.offset)
    number, line_number = done.batches, done.rows
    rows: list[Any] = []
    size = 0
    end = done.offset
    for line in file:
        if rows and (len(rows) == MAX_LINES or size + len(line) > MAX_BYTES):
            yield _Batch(number, line_number - len(rows) + 1, end, rows)
            number, rows, size = number + 1, [], 0
        end += len(line)
        line_number += 1
        rows.append(_row(line, line_number, keep_system_fields))
        size += len(line)
    if rows:
        yield _Batch(number, line_number - len(rows) + 1, end, rows)


def _row(line: bytes, number: int, keep_system_fields: bool) -> Any:
    try:
        row = decode(line)
    except CodecError as error:
        raise ImportFailed(f"line {number}: {error}") from None
    if isinstance(row, dict) and not keep_system_fields:
        return {name: value for name, value in row.items() if name not in SYSTEM_FIELDS}
    return row
