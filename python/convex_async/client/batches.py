"""Many rows written by few mutations: batches within the deployment's limits, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from typing import Any

from convex_async.client_base.reading import Reading
from convex_async.errors import BatchError, CodecError, ConvexClientError


class Batch:
    """Rows that travel together.

    Attributes:
        index: of the first, among all rows.
        rows: as they were given.
        wire: the arguments with them.
    """

    __slots__ = ("index", "rows", "wire")

    def __init__(self, index: int, rows: list[Any], wire: bytes) -> None:
        self.index: int = index
        self.rows: list[Any] = rows
        self.wire: bytes = wire


class Batches:
    """Cuts rows into batches; each row is encoded once.

    Args:
        key: the argument that has the rows.
        args: the others.
        max_items, max_bytes: of a batch; a row that is longer goes alone.
    """

    def __init__(
        self,
        reading: Reading,
        *,
        key: str,
        args: Mapping[str, Any],
        max_items: int,
        max_bytes: int,
    ) -> None:
        if key in args:
            raise ValueError(f"the argument {key!r} is for the rows")
        if max_items < 1 or max_bytes < 1:
            raise ValueError("max_items and max_bytes are at least 1")
        self._reading = reading
        self._key = key
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._head = self._field(key, [])[:-1]  # `"key":[`
        others = {name: self._field(name, value) for name, value in args.items()}
        before = [wire for name, wire in sorted(others.items()) if name < key]
        after = [wire for name, wire in sorted(others.items()) if name > key]
        self._before = b"{" + b"".join(wire + b"," for wire in before) + self._head
        self._after = b"]" + b"".join(b"," + wire for wire in after) + b"}"

    def _field(self, name: str, value: Any) -> bytes:
        return self._reading.arguments({name: value})[1:-1]

    async def of(self, rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Batch, None]:
        """The batches, cut as they are asked for."""
        index, size = 0, 0
        held: list[Any] = []
        wires: list[bytes] = []
        async for row in _each(rows):
            wire = self._row(row, index + len(held))
            if held and (len(held) == self._max_items or size + len(wire) >= self._max_bytes):
                yield self._batch(index, held, wires)
                index += len(held)
                held, wires, size = [], [], 0
            held.append(row)
            wires.append(wire)
            size += len(wire) + 1
        if held:
            yield self._batch(index, held, wires)

    def _row(self, row: Any, index: int) -> bytes:
        try:
            return self._field(self._key, [row])[len(self._head) : -1]
        except CodecError as error:
            error.add_note(f"in row {index}")
            raise

    def _batch(self, index: int, rows: list[Any], wires: list[bytes]) -> Batch:
        return Batch(index, rows, self._before + b",".join(wires) + self._after)


async def written(
    send: Callable[[bytes], Coroutine[Any, Any, Any]],
    batches: AsyncGenerator[Batch, None],
    in_flight: int,
) -> AsyncGenerator[Any, None]:
    """The results of the batches, in order; see `ConvexClient.mutation_batches`."""
    sent: deque[tuple[Batch, asyncio.Task[Any]]] = deque()
    results: list[Any] = []
    is_over = False
    try:
        while True:
            while not is_over and len(sent) < in_flight and not _failed(sent):
                batch = await anext(batches, None)
                if batch is None:
                    is_over = True
                else:
                    sent.append((batch, asyncio.create_task(send(batch.wire))))
            if not sent:
                return
            batch, task = sent.popleft()
            try:
                result = await task
            except ConvexClientError as error:
                raise await _error(error, batch, results, sent) from error
            results.append(result)
            yield result
    finally:
        for _, task in sent:
            task.cancel()
        await asyncio.gather(*(task for _, task in sent), return_exceptions=True)
        await batches.aclose()


def _failed(sent: deque[tuple[Batch, asyncio.Task[Any]]]) -> bool:
    return any(
        task.done() and (task.cancelled() or task.exception() is not None) for _, task in sent
    )


async def _error(
    error: ConvexClientError,
    batch: Batch,
    results: list[Any],
    sent: deque[tuple[Batch, asyncio.Task[Any]]],
) -> BatchError:
    """The error of a batch; those that were sent with it are seen to their end."""
    outcomes = await asyncio.gather(*(task for _, task in sent), return_exceptions=True)
    later = [
        (other.index, len(other.rows), outcome)
        for (other, _), outcome in zip(sent, outcomes, strict=True)
    ]
    last = batch.index + len(batch.rows) - 1
    return BatchError(
        f"rows {batch.index} to {last}: {error}",
        rows=batch.rows,
        index=batch.index,
        results=results,
        later=later,
        retryable=error.retryable,
    )


async def _each(rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row
