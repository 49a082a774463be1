"""Live queries as blocking iterators, with the names of PyPI `convex`."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, Self, TypeAlias, TypeVar

from convex_async.client.convex_client import ConvexClient
from convex_async.client.subscription import Subscription
from convex_async.errors import LocalProtocolError
from convex_async.reactive.updates import Change, Result
from convex_async.sync.loop import LoopThread
from convex_async.values import Arguments

T = TypeVar("T")

SubscriberId: TypeAlias = int
"""Tells subscriptions apart in what `watch_all` gives."""


class QuerySubscription(Generic[T]):
    """A query that is kept up to date; made by `ConvexClient.subscribe`.

    `for value in subscription` blocks for each new state; the newest wins if the loop is slow.
    A failing query raises from the loop, and iterating again goes on. `break` leaves it as it
    is; `unsubscribe`, `with`, or dropping it ends it. Ctrl-C interrupts a wait and loses nothing.
    """

    def __init__(
        self,
        thread: LoopThread,
        inner: Subscription[T],
        id: int,
        leave: Callable[[int], None],
        *,
        client: ConvexClient,
        name: str,
        args: Arguments | None,
    ) -> None:
        self._thread = thread
        self.client = client
        """The asynchronous client that it is of."""
        self._inner = inner
        self.name = name
        """The path that it was subscribed by."""
        self.args: Arguments = {} if args is None else args
        """The arguments that it was subscribed with."""
        self.invalidated: bool = False
        """Whether `unsubscribe` was called."""
        self._leave = weakref.finalize(self, thread.post, lambda: leave(id))
        self._leave.atexit = False
        self._id = id

    def __repr__(self) -> str:
        return f"<QuerySubscription {self.id} {self._inner!r}>"

    @property
    def id(self) -> SubscriberId:
        """Tells subscriptions apart in what `watch_all` gives."""
        return self._id

    @property
    def inner(self) -> Subscription[T]:
        """The subscription in the client's own loop."""
        return self._inner

    def safe_inner_sub(self) -> Subscription[T]:
        """The subscription in the client's own loop.

        Raises:
            LocalProtocolError: it was unsubscribed.
        """
        if self.invalidated:
            raise LocalProtocolError("this subscription was unsubscribed")
        return self._inner

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self._thread.run(self._inner.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next state for the caller's own event loop, which is not blocked."""
        return await asyncio.wrap_future(self._thread.submit(self._inner.__anext__))

    def get(self, timeout: float | None = None) -> T:
        """The present value, waiting for the first.

        Raises:
            ConvexError, FunctionError: the query fails at present.
            TimeoutError: there is none after `timeout` seconds.
        """
        return self._thread.run(lambda: self._inner.get(timeout))

    def until(self, predicate: Callable[[T], object], timeout: float | None = None) -> T:
        """The first value, from the present one on, for which the predicate is true.

        Raises:
            ConvexError, FunctionError: the query fails meanwhile.
            TimeoutError: there is none after `timeout` seconds.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        value = self.get(timeout)
        while not predicate(value):
            value = self._next_before(deadline)
        return value

    def _next_before(self, deadline: float) -> T:
        async def wait() -> T:
            left = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
            async with asyncio.timeout(left):
                return await anext(self._inner)

        return self._thread.run(wait)

    def results(self) -> Iterator[Result[T]]:
        """Each new state with its log lines and time, a failure being a state like others."""
        return blocking_iterator(self._thread, self._inner.results)

    def changes(self, key: str = "_id", at: tuple[str, ...] = ()) -> Iterator[Change]:
        """What changed in a list of documents since the item before, decoding only that."""
        return blocking_iterator(self._thread, lambda: self._inner.changes(key, at))

    def json(self) -> Iterator[bytes]:
        """Each new state as plain JSON in UTF-8."""
        return blocking_iterator(self._thread, self._inner.json)

    def unsubscribe(self) -> None:
        """Leave the query; a loop in another thread ends. Idempotent."""
        self.invalidated = True
        self._leave()
        self._thread.call(self._inner.close)

    close = unsubscribe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.unsubscribe()


def blocking_iterator(thread: LoopThread, make: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """The items of an async iterator, each waited for."""
    items = make()
    try:
        while True:
            try:
                yield thread.run(lambda: _next(items))
            except StopAsyncIteration:
                return
    finally:
        aclose: Any = getattr(items, "aclose", None)
        if aclose is not None:
            thread.run(aclose)


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)
