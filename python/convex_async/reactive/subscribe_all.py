"""Several queries as one live value: all results of one moment, in one dict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable, Mapping
from typing import Any, Generic, Self, TypeAlias, TypeVar

from convex_async.calls import QueryCall
from convex_async.client_base.answers import function_error, value_or_raise
from convex_async.client_base.reading import Reading
from convex_async.connection.running import Running
from convex_async.errors import LocalProtocolError
from convex_async.function_path import FunctionPath, FunctionReference
from convex_async.protocol.results import Failed
from convex_async.reactive.updates import Result
from convex_async.reactive.watcher import Member, QuerySetWatcher
from convex_async.values import Arguments

K = TypeVar("K", bound=Hashable)

QuerySpec: TypeAlias = (
    str
    | FunctionReference
    | QueryCall[Any]
    | tuple[str | FunctionReference, Arguments | None]
    | tuple[str | FunctionReference, Arguments | None, Any]
)
"""A path; or a path and arguments; or these and the type of the value; or a typed call."""


def parts_of(spec: QuerySpec, reading: Reading) -> tuple[FunctionPath, bytes, Any]:
    """The path, the arguments' wire bytes and what makes the value of a query.

    Raises:
        CodecError, ValueError, TypeError: it is no query.
    """
    given: tuple[Any, ...] = spec if isinstance(spec, tuple) else (spec,)
    if not 1 <= len(given) <= 3:
        raise TypeError(f"a query is a path, (path, args) or (path, args, type), not {spec!r}")
    parts: list[Any] = [*given, None, None]
    path, args, made = reading.call("query", parts[0], parts[1], parts[2])
    return path, args, made


def state_of(member: Member) -> Any:
    """A member's value, the `FunctionError` it failed with, or None while it loads."""
    shown = member.shown
    if isinstance(shown, Failed):
        return function_error(member.path, shown)
    return None if shown is None else value_or_raise(member.path, shown, None)


class ConsistentView(Generic[K]):
    """Several live queries together; made by `ConvexClient.subscribe_all`.

    `async for values in view` gives a dict of all values whenever any of them has changed: all are
    of one time of the deployment, also right after a reconnect. The first comes when all are
    there; the newest wins if the consumer is slow. A failing query raises from the loop, and
    iterating again goes on with the next moment. One task may wait at a time.

    It leaves its queries when it is closed, garbage-collected, or dropped by `break`.
    """

    def __init__(self, driver: Running, queries: Mapping[K, QuerySpec], reading: Reading) -> None:
        parts = {key: parts_of(spec, reading) for key, spec in queries.items()}
        if not parts:
            raise ValueError("subscribe_all needs at least one query")
        self._types = {key: type for key, (_, _, type) in parts.items()}
        self._watcher: QuerySetWatcher[K] = QuerySetWatcher(driver, whole=True)
        for key, (path, args, _) in parts.items():
            self._watcher.add(key, path, args)

    def __repr__(self) -> str:
        state = "closed" if self._watcher.is_closed else "live"
        return f"<ConsistentView of {len(self._types)} queries, {state}>"

    @property
    def ts(self) -> int:
        """The deployment's time of the newest result, ns since the epoch; 0 before the first."""
        return self._watcher.ts

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[K, Any]:
        if not await self._watcher.changed():
            raise StopAsyncIteration
        return self._values()

    async def get(self, timeout: float | None = None) -> dict[K, Any]:
        """The values of the next moment; right after creation, the present ones.

        Raises:
            ConvexError, FunctionError: one of the queries fails.
            TimeoutError: there is none after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            if not await self._watcher.changed():
                raise LocalProtocolError("the view is closed")
        return self._values()

    async def results(self) -> AsyncGenerator[dict[K, Result[Any]], None]:
        """Each moment with the log lines and times of its results, failures being data too."""
        while await self._watcher.changed():
            yield {key: self._result(key, member) for key, member in self._watcher.members.items()}

    def close(self) -> None:
        """Leave the queries; a waiting iteration ends. Idempotent; never waits."""
        self._watcher.close()

    async def aclose(self) -> None:
        """The same as `close`, for `contextlib.aclosing` and its like."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if (watcher := getattr(self, "_watcher", None)) is not None and not watcher.is_closed:
            watcher.close()

    def _values(self) -> dict[K, Any]:
        return {key: self._value(key, member) for key, member in self._watcher.members.items()}

    def _value(self, key: K, member: Member) -> Any:
        assert member.shown is not None
        return value_or_raise(member.path, member.shown, self._types[key])

    def _result(self, key: K, member: Member) -> Result[Any]:
        shown = member.shown
        assert shown is not None
        if isinstance(shown, Failed):
            error = function_error(member.path, shown)
            return Result(None, error, list(shown.log_lines), member.ts)
        return Result(self._value(key, member), None, list(shown.log_lines), member.ts)
