"""The calls that both clients have, each signature once, with the arguments read at the call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from types import EllipsisType
from typing import Any, TypeVar, overload

from convex_async.calls import ActionCall, PageCall, QueryCall
from convex_async.client_base.asked import unpack
from convex_async.client_base.pagination import Paginator
from convex_async.client_base.reading import Reading
from convex_async.function_path import FunctionPath, FunctionReference
from convex_async.values import Arguments

T = TypeVar("T")


class Calls(ABC):
    """Queries, actions and pagination; a subclass has what carries them, and `mutation`."""

    _reading: Reading

    @abstractmethod
    def _limit(self, timeout: float | EllipsisType | None) -> float | None:
        """Seconds that a call may take; the client's own for `...`."""

    @abstractmethod
    def _ask(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        """The value of a query; `args` are wire bytes, `timeout` seconds."""

    @abstractmethod
    def _act(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        """What an action returned."""

    @abstractmethod
    def mutation(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]:
        """Run a mutation. Each client has options of its own for it."""

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
        type: type[T],
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
        """The value of a query: of a live subscription if there is one, else asked for once.

        Args:
            path: `"tasks:list"`, or `api.tasks.list`; or a typed call (`convex_async.calls`),
                which has the arguments and the type.
            args: a mapping of Convex values, read before this returns.
            type: what the value is to be: a msgspec Struct, dataclass, TypedDict, NamedTuple,
                pydantic model, or a list or union of them.
            timeout: seconds; None for no limit; the client's if not given.

        Raises:
            CodecError, ValueError, TypeError: bad arguments or path, at the call itself.
            ConvexError, FunctionError: the function failed.
            TransportError, RequestTimeoutError: no answer; over HTTP, also not at a second retry.
            ClientClosedError, AuthError, RemoteProtocolError, CodecError: as they say.
        """
        return self._ask(*self._reading.call("query", path, args, type), self._limit(timeout))

    @overload
    def action(
        self,
        path: ActionCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def action(
        self,
        path: str | FunctionReference | ActionCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]:
        """Run an action, which is sent once; there is no time limit unless one is given.

        Arguments and errors are those of `query`, and:

        Raises:
            TransportError: with `.outcome`; `ConnectionLostError` when the socket went while it
                was under way. It may have run.
        """
        limit = None if timeout is ... else self._limit(timeout)
        return self._act(*self._reading.call("action", path, args, type), limit)

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
        type: type[T],
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
        """The documents of a paginated query, to its end; `.pages()` for its pages.

        Args:
            path: of a query that takes `paginationOpts`, which is filled in.
            args: its other arguments.
            page_size: documents a page, 1 to 32000.
            cursor: where to begin: the `continue_cursor` of an earlier page; None for the start.
            type: of one document.

        Raises:
            CodecError, ValueError: as `Paginator` says, when this is called.
        """
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
