"""What both blocking clients do: hand each call to the loop's thread, and wait."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload

import msgspec

from convex_async.auth.tokens import Auth
from convex_async.client.convex_client import ConvexClient
from convex_async.client_base.pagination import Page, Paginator
from convex_async.function_path import FunctionReference
from convex_async.http.convex_http_client import ConvexHttpClient
from convex_async.sync.loop import LoopThread, loop_thread
from convex_async.sync.subscription import blocking_iterator

if TYPE_CHECKING:
    from convex_async.files.sources import Progress, Source, WritableFile

T = TypeVar("T")
Client = TypeVar("Client", ConvexClient, ConvexHttpClient)

_keys = itertools.count()


class BlockingTokenFetcher(Protocol):
    """Gets the user's token: `def fetch(*, force_refresh: bool) -> str | None`, in a thread."""

    def __call__(self, *, force_refresh: bool) -> str | None: ...


BlockingAuth: TypeAlias = Auth | BlockingTokenFetcher


@dataclass(frozen=True, slots=True)
class SiteResponse:
    """The whole answer of an HTTP action."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body, which is UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """The body, which is JSON."""
        return msgspec.json.decode(self.content)


class BlockingPaginator(Generic[T]):
    """The documents of a paginated query; each is waited for."""

    def __init__(self, thread: LoopThread, inner: Paginator[T]) -> None:
        self._thread = thread
        self._inner = inner

    def __iter__(self) -> Iterator[T]:
        return blocking_iterator(self._thread, lambda: self._inner)

    def pages(self) -> Iterator[Page[T]]:
        """The pages, as sequences with `.continue_cursor` and `.is_done`."""
        return blocking_iterator(self._thread, self._inner.pages)


class BlockingClient(Generic[Client]):
    """Calls, files, pagination and identity of either client, for threads.

    May be used from any number of threads at once. Nothing holds the GIL, or any event loop but
    its own, while it waits. Ctrl-C ends a wait at once: what was not sent will not run.

    It is closed by `close`, by `with`, when it is garbage-collected, and at the program's end.
    """

    def __init__(self, inner: Client) -> None:
        self._thread = loop_thread()
        self._inner: Client = inner
        self._key = next(_keys)
        self._thread.adopt(self._key, inner.close)
        # Not at exit: the thread closes what is open then, and before it stops.
        weakref.finalize(self, self._thread.release, self._key, wait=False).atexit = False

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"

    def close(self) -> None:
        """Close the client; calls that wait in other threads raise `ClientClosedError`."""
        self._thread.release(self._key, wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The deployment's origin."""
        return self._inner.url

    @property
    def site_url(self) -> str:
        """The origin of HTTP actions."""
        return self._inner.site_url

    @overload
    def query(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def query(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    def query(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """The value of a query. Arguments and errors are those of `convex_async.ConvexClient`."""
        return self._thread.run(lambda: self._inner.query(name, args, type=type, timeout=timeout))

    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    def mutation(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """Run a mutation and wait for it."""
        return self._thread.run(
            lambda: self._inner.mutation(name, args, type=type, timeout=timeout)
        )

    @overload
    def action(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def action(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    def action(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """Run an action and wait for it."""
        return self._thread.run(lambda: self._inner.action(name, args, type=type, timeout=timeout))

    def paginate(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> BlockingPaginator[Any]:
        """The documents of a paginated query; `.pages()` for its pages."""
        paginator = self._inner.paginate(name, args, page_size=page_size, cursor=cursor, type=type)
        return BlockingPaginator(self._thread, paginator)

    def upload(
        self,
        source: Source | Iterable[bytes],
        *,
        url: str | FunctionReference,
        content_type: str | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> str:
        """Store a file and return its storage id; `source` may be an iterable of chunks, too.

        `progress` is called in another thread.
        """
        streamed = _streamed(source)
        return self._thread.run(
            lambda: self._inner.upload(
                streamed,
                url=url,
                content_type=content_type,
                progress=progress,
                timeout=timeout,
            )
        )

    def download(
        self,
        url: str,
        to: str | os.PathLike[str] | WritableFile | None = None,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """Fetch a stored file: its bytes, or `to` once it is written. `progress` as in `upload`."""
        return self._thread.run(
            lambda: self._inner.download(
                url,
                to,
                start=start,
                end=end,
                progress=progress,
                timeout=timeout,
            )
        )

    def http_action(self, method: str, path: str, **kwargs: Any) -> SiteResponse:
        """Call an HTTP action and read its whole answer; `kwargs` as aiohttp takes them."""

        async def ask() -> SiteResponse:
            async with self._inner.http_action(method, path, **kwargs) as response:
                return SiteResponse(response.status, response.headers, await response.read())

        return self._thread.run(ask)

    def set_auth(self, token: BlockingAuth) -> None:
        """Become another user, or nobody with None.

        Args:
            token: a JWT, or a fetcher `def fetch(*, force_refresh: bool) -> str | None`, which is
                called in a thread of its own; an `async def` one runs in the client's loop.
        """
        auth = asynchronous(token)
        self._thread.call(lambda: self._inner.set_auth(auth))

    def clear_auth(self) -> None:
        """Become nobody: log out."""
        self._thread.call(self._inner.clear_auth)

    def set_admin_auth(self, admin_key: str, acting_as: Mapping[str, Any] | None = None) -> None:
        """Become an admin of the deployment, who may call internal functions."""
        self._thread.call(lambda: self._inner.set_admin_auth(admin_key, acting_as))

    def set_debug(self, value: bool) -> None:
        """Show what functions log, by the logger `convex_async.functions`."""
        self._thread.call(lambda: self._inner.set_debug(value))


def asynchronous(auth: BlockingAuth) -> Auth:
    """The same, its fetcher being a coroutine function that keeps the loop free."""
    if not callable(auth) or inspect.iscoroutinefunction(auth):
        return auth
    fetch: Any = auth

    async def fetch_in_thread(*, force_refresh: bool) -> str | None:
        token: str | None = await asyncio.to_thread(fetch, force_refresh=force_refresh)
        return token

    return fetch_in_thread


def _streamed(source: Source | Iterable[bytes]) -> Any:
    """The same, chunks being got in threads, for the iterator may block."""
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        return source
    if isinstance(source, Iterable) and not hasattr(source, "read"):
        chunks: Iterator[Any] = iter(source)
        return _in_threads(chunks)
    return source


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
