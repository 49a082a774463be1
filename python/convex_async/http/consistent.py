"""Queries over HTTP that all see one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import EllipsisType
from typing import Any, Self, TypeVar, overload

from convex_async.calls import PageCall, QueryCall
from convex_async.client_base.asked import unpack
from convex_async.client_base.pagination import Paginator
from convex_async.client_base.reading import Reading
from convex_async.function_path import FunctionReference
from convex_async.http.calls import Call, HttpCalls
from convex_async.protocol.messages import WireTimestamp, parse_timestamp
from convex_async.values import Arguments

T = TypeVar("T")


class ConsistentQueries:
    """What `ConvexHttpClient.consistent()` gives: queries at the moment of the first of them.

    `async with client.consistent() as snapshot:` takes the moment on entering.

    Args:
        calls: runs the queries.
        make_call: makes a call from `query`'s arguments, in the caller's frame.
    """

    def __init__(
        self,
        calls: HttpCalls,
        make_call: Callable[..., Call],
        *,
        timeout: float | None,
        reading: Reading,
    ) -> None:
        self._calls = calls
        self._make_call = make_call
        self._timeout = timeout
        self._reading = reading
        self._ts: WireTimestamp | None = None
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<ConsistentQueries at {self.ts}>"

    async def __aenter__(self) -> Self:
        await self._moment()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing is held: the deployment keeps the past for everybody."""

    @property
    def ts(self) -> int | None:
        """The moment, ns since the epoch by the deployment's clock; None before the first query."""
        return None if self._ts is None else parse_timestamp(self._ts)

    @overload
    def query(
        self,
        path: QueryCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def query(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def query(
        self,
        path: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]:
        """The value of a query at this moment; otherwise as `ConvexHttpClient.query`.

        Raises:
            TransportError: also when the moment is too long ago, 30 seconds being promised.
        """
        return self._query(self._make_call("query", path, args, type, timeout))

    @overload
    def paginate(
        self,
        path: PageCall[T],
        *,
        page_size: int = 100,
        cursor: str | None = None,
    ) -> Paginator[T]: ...
    @overload
    def paginate(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> Paginator[Any]: ...
    def paginate(
        self,
        path: str | FunctionReference | PageCall[Any],
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> Paginator[Any]:
        """The documents of a paginated query, all pages at this moment."""
        path, args, type = unpack("page", path, args, type)
        return Paginator(
            lambda path, args, type: self.query(path, args, type=type),
            path,
            args,
            page_size=page_size,
            cursor=cursor,
            type=type,
            reading=self._reading,
        )

    async def _query(self, call: Call) -> Any:
        return await self._calls.query(call, ts=await self._moment())

    async def _moment(self) -> WireTimestamp:
        async with self._turn:
            if self._ts is None:
                self._ts = await self._calls.latest_timestamp(self._timeout)
        return self._ts
