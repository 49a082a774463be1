"""A live query as the user holds it: an async iterator over a one-slot mailbox."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

from convex_async.client_base.answers import function_error, value_or_raise
from convex_async.codec.diff import ListDiffer
from convex_async.codec.values import to_plain_json
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.errors import LocalProtocolError, RequestTimeoutError, once_more
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.results import Failed, FunctionResult
from convex_async.reactive.updates import Change, Result

T = TypeVar("T")


class Subscription(Generic[T]):
    """A query that is kept up to date; made by `ConvexClient.subscribe`.

    `async for value in subscription` gives each new state once: the newest wins if the consumer is
    slow, equal ones are not repeated, and none is older than one before. A failing query raises
    from the loop (`ConvexError`, `FunctionError`), and iterating again goes on with the same
    subscription; it recovers when the query does. A cancelled wait loses nothing.

    It leaves the query set when it is closed, garbage-collected, or when `break` drops the last
    reference to it. One task may wait at a time.
    """

    __slots__ = (
        "__weakref__",
        "_closed",
        "_mailbox",
        "_path",
        "_running",
        "_seen",
        "_subscriber",
        "_type",
    )

    def __init__(
        self,
        path: FunctionPath,
        subscriber: Subscriber[Mailbox],
        mailbox: Mailbox,
        running: Running,
        *,
        type: Any = None,
    ) -> None:
        self._path = path
        self._subscriber = subscriber
        self._mailbox = mailbox
        self._running = running
        self._type = type
        self._seen: FunctionResult | None = None
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "loading" if self._mailbox.result is None else "live"
        return f"<Subscription {self._path!r} {state}>"

    @property
    def path(self) -> str:
        """The function path, in canonical form."""
        return self._path

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        found = await self._next()
        if found is None:
            raise StopAsyncIteration
        value: T = value_or_raise(self._path, found[0], self._type)
        return value

    async def get(self, timeout: float | None = None) -> T:
        """The present value, waiting for the first; iteration is not affected.

        Raises:
            ConvexError, FunctionError: the query fails at present.
            RequestTimeoutError: there is none after `timeout` seconds; it is a `TimeoutError`.
        """
        try:
            async with asyncio.timeout(timeout):
                result = await self._present(None)
        except TimeoutError:
            raise self._timed_out("no value", timeout) from None
        value: T = value_or_raise(self._path, result, self._type)
        return value

    async def until(
        self, predicate: Callable[[T], object | Awaitable[object]], timeout: float | None = None
    ) -> T:
        """The first value, from the present one on, for which the predicate is true.

        Args:
            predicate: a function, or a coroutine function, which is awaited.
            timeout: seconds, or None.

        Raises:
            ConvexError, FunctionError: the query fails meanwhile.
            RequestTimeoutError: there is none after `timeout` seconds; it is a `TimeoutError`.
        """
        seen: FunctionResult | None = None
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                while True:
                    seen = await self._present(seen)
                    value: T = value_or_raise(self._path, seen, self._type)
                    verdict = predicate(value)
                    if inspect.isawaitable(verdict):
                        verdict = await verdict
                    if verdict:
                        return value
        except TimeoutError:
            if not limit.expired():
                raise  # the predicate's own
            what = "no value" if seen is None else "no value that fits"
            raise self._timed_out(what, timeout) from None

    def _timed_out(self, what: str, timeout: float | None) -> RequestTimeoutError:
        trouble = self._running.trouble()
        hint = f" ({trouble})" if trouble else ""
        outcome = self._running.known_of(self._subscriber)
        return RequestTimeoutError(
            f"{self._path}: {what} within {timeout} s{hint}", outcome=outcome
        )

    async def results(self) -> AsyncGenerator[Result[T], None]:
        """Each new state with its log lines and time, a failure being a state like others."""
        while (found := await self._next()) is not None:
            result, ts = found
            if isinstance(result, Failed):
                error = function_error(self._path, result)
                yield Result(None, error, list(result.log_lines), ts)
            else:
                value: T = value_or_raise(self._path, result, self._type)
                yield Result(value, None, list(result.log_lines), ts)

    async def json(self) -> AsyncGenerator[bytes, None]:
        """Each new state as plain JSON in UTF-8, for SSE, WebSockets and browsers.

        Made from the wire bytes without building Python objects: int64 becomes a decimal string,
        bytes a base64 string, NaN and the infinities the strings of those names.

        Raises:
            ConvexError, FunctionError: the query fails.
        """
        while (found := await self._next()) is not None:
            yield to_plain_json(self._wire(found[0]))

    async def changes(
        self, key: str = "_id", at: tuple[str, ...] = ()
    ) -> AsyncGenerator[Change, None]:
        """What changed in a list of documents, decoding only that.

        The first item has every document inserted; then comes what changed since the item before.

        Args:
            key: the field that tells documents apart.
            at: the fields that lead to the list, such as `("page",)`.

        Raises:
            TypeError: the result is not a list of documents with distinct keys.
            ConvexError, FunctionError: the query fails.
        """
        differ = ListDiffer(key=key, at=at)
        first = True
        seen: FunctionResult | None = None
        while True:
            found = await self._newer(seen)
            if found is None:
                return
            seen, ts = found
            self._seen = seen
            wire = self._wire(seen)
            diff = differ.next(wire)
            if first or diff:
                yield Change(
                    diff.inserted, diff.updated, diff.deleted, diff.moved, ts, wire, self._type
                )
            first = False

    def close(self) -> None:
        """Leave the query; a waiting iteration ends. Idempotent; never waits."""
        if not self._closed:
            self._closed = True
            self._running.unsubscribe(self._subscriber)
            self._mailbox._wake()

    async def aclose(self) -> None:
        """The same as `close`, for `contextlib.aclosing` and its like."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self._closed = True
            self._running.unsubscribe(self._subscriber)

    def _wire(self, result: FunctionResult) -> bytes:
        if isinstance(result, Failed):
            raise function_error(self._path, result)
        return result.value

    async def _next(self) -> tuple[FunctionResult, int] | None:
        """The next state for iteration, which counts as delivered once this returns."""
        found = await self._newer(self._seen, iterating=True)
        if found is not None:
            self._seen = found[0]
        return found

    async def _present(self, seen: FunctionResult | None) -> FunctionResult:
        found = await self._newer(seen)
        if found is None:
            raise LocalProtocolError(f"the subscription to {self._path} is closed")
        return found[0]

    async def _newer(
        self, seen: FunctionResult | None, *, iterating: bool = False
    ) -> tuple[FunctionResult, int] | None:
        """The newest state, or the oldest in the buffer, that differs from `seen`; None: closed."""
        mailbox = self._mailbox
        while True:
            if self._closed:
                return None
            if mailbox.error is not None:  # before what is left of another user, or of before
                raise once_more(mailbox.error)
            if mailbox.overflowed and iterating:
                mailbox.overflowed = False
                raise LocalProtocolError(
                    f"{self._path}: the consumer fell more than {mailbox.buffer} states behind; "
                    "some are lost, iterating again goes on with the newest"
                )
            if mailbox.states is not None and iterating:
                while mailbox.states:
                    ts, state = mailbox.states.popleft()
                    if seen is None or not state.same_state(seen):
                        return state, ts
            elif mailbox.result is not None and (
                seen is None or not mailbox.result.same_state(seen)
            ):
                return mailbox.result, mailbox.ts
            await mailbox.changed()
