"""One run of a function in a worker, as the deployment sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Container
from typing import TypeAlias

from convex_async.local.context.runs import Invocation
from convex_async.local.transactions.transaction import Conflict
from convex_async.local.typescript.declared import Place
from convex_async.local.typescript.streams import Stream


class WorkerLost(Conflict):
    """The worker ended, or was given up, while it ran the function: it is to run again."""


Components: TypeAlias = Container[str]
"""The paths of the components that there are."""


class Running:
    """A run that a worker has.

    Attributes:
        done: its result, or what ended it.
        outstanding: calls of it that are not answered yet.
        sent: the number of the last frame that made it go on, counted over all its worker's runs.
        key: what makes it the same run when it is tried again.
        place: where the function is.
    """

    def __init__(
        self, invocation: Invocation, key: tuple[str, bytes], place: Place, components: Components
    ) -> None:
        self.invocation = invocation
        self.place = place
        self.components = components
        self.key = key
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.outstanding = 0
        self.sent = 0
        self.is_busy = False
        self.queue: deque[tuple[int, str, bytes]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self._streams: dict[int, Stream] = {}

    @property
    def is_transaction(self) -> bool:
        """Whether it can be run again without harm."""
        return self.invocation.transaction is not None

    def open(self, stream_id: int, query: bytes) -> None:
        """Begin a query."""
        transaction = self.invocation.transaction
        assert transaction is not None
        self._streams[stream_id] = Stream(transaction, query, self.place.prefix)

    def stream(self, stream_id: int) -> Stream | None:
        """A query that was begun and not ended."""
        return self._streams.get(stream_id)

    def close_stream(self, stream_id: int, consumed: int) -> None:
        """End a query of which so many documents of the last batch were consumed."""
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            stream.close(consumed)

    def close(self) -> None:
        """Note what was read, and end what is under way for it."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
        self.queue.clear()
        for task in self.tasks:
            task.cancel()

    def succeed(self, result: bytes) -> None:
        """It gave a result."""
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        """It ended otherwise."""
        if not self.done.done():
            self.done.set_exception(error)
