"""What both blocking clients call: each call goes to the loop's thread, and is waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from convex_async.calls import ActionCall, Call, MutationCall, PageCall, QueryCall
from convex_async.client.convex_client import ConvexClient
from convex_async.client_base.asked import unpack
from convex_async.client_base.pagination import Page, Paginator
from convex_async.deployment.serving import is_served_here
from convex_async.errors import LocalProtocolError, UnsupportedTypeError
from convex_async.function_path import FunctionReference
from convex_async.http.convex_http_client import ConvexHttpClient
from convex_async.sync.answers import SiteResponse
from convex_async.sync.loop import ClientThread, LoopThread
from convex_async.sync.subscription import blocking_iterator
from convex_async.sync.values import without_foreign_integers
from convex_async.values import Arguments

if TYPE_CHECKING:
    from convex_async.files.sources import Progress, Source, WritableFile

    File = TypeVar("File", bound=WritableFile)

T = TypeVar("T")
Client = TypeVar("Client", bound=ConvexClient | ConvexHttpClient)


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


class BlockingCalls(Generic[Client]):
    """Calls, pagination, files and HTTP actions of either client."""

    def __init__(self, inner: Client) -> None:
        self._inner: Client = inner
        self._home = ClientThread(inner.close)

    @property
    def _thread(self) -> LoopThread:
        """To wait in; raises `LocalProtocolError` where that would never end."""
        if is_served_here(self._inner.url):
            raise LocalProtocolError(
                f"{self._inner.url} is served by the event loop of this thread, which would wait "
                "for itself: use the asynchronous client, or asyncio.to_thread"
            )
        return self._home.get()

    @overload
    def query(
        self,
        name: QueryCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def query(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def query(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    def query(
        self,
        name: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """The value of a query. Arguments and errors are those of `convex_async.ConvexClient`."""
        return self._thread.run(self._call("query", name, args, type=type, timeout=timeout))

    @overload
    def action(
        self,
        name: ActionCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def action(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> T: ...
    @overload
    def action(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    def action(
        self,
        name: str | FunctionReference | ActionCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """Run an action and wait for it."""
        return self._thread.run(self._call("action", name, args, type=type, timeout=timeout))

    @overload
    def paginate(
        self,
        name: PageCall[T],
        *,
        page_size: int = 100,
        cursor: str | None = None,
    ) -> BlockingPaginator[T]: ...
    @overload
    def paginate(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: type[T],
    ) -> BlockingPaginator[T]: ...
    @overload
    def paginate(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> BlockingPaginator[Any]: ...
    def paginate(
        self,
        name: str | FunctionReference | PageCall[Any],
        args: Arguments | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> BlockingPaginator[Any]:
        """The documents of a paginated query; `.pages()` for its pages."""
        path, args, type = unpack("page", name, args, type)
        paginator = self._inner.paginate(path, args, page_size=page_size, cursor=cursor, type=type)
        return BlockingPaginator(self._thread, paginator)

    def upload(
        self,
        source: Source | Iterable[bytes],
        *,
        url: str | FunctionReference | MutationCall[str],
        args: Arguments | None = None,
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
                args=args,
                content_type=content_type,
                progress=progress,
                timeout=timeout,
            )
        )

    @overload
    def download(
        self,
        url: str,
        to: None = None,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> bytes: ...
    @overload
    def download(
        self,
        url: str,
        to: str | os.PathLike[str],
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Path: ...
    @overload
    def download(
        self,
        url: str,
        to: File,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> File: ...
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
        what = f"{method} {path.partition('?')[0]}"

        from convex_async.transport.http import read_whole  # imports aiohttp

        async def ask() -> SiteResponse:
            async with self._inner.http_action(method, path, **kwargs) as response:
                content = await read_whole(response, what)
                return SiteResponse(response.status, response.headers, content, what)

        return self._thread.run(ask)

    def ping(self, *, timeout: float | EllipsisType | None = ...) -> float:
        """Ask the deployment for a sign of life: the seconds until it came."""
        return self._thread.run(lambda: self._inner.ping(timeout=timeout))

    def submit(
        self,
        call: Literal["query", "mutation", "action"] | Callable[..., Any],
        /,
        name: str | FunctionReference | Call[Any],
        args: Arguments | None = None,
        **options: Any,
    ) -> Future[Any]:
        """Begin a call and go on: `future = client.submit("mutation", "tasks:create", args)`.

        Calls that one thread submits go out in their order. Cancelling the future withdraws a
        call that was not sent.

        Args:
            call: which one, by name or as `client.mutation`.
            options: as that call takes them.

        Raises:
            TypeError: it is none of this client's three calls.
        """
        kind = call if isinstance(call, str) else getattr(call, "__name__", "")
        if kind not in ("query", "mutation", "action") or not (
            isinstance(call, str) or getattr(call, "__self__", None) is self
        ):
            raise TypeError("submit() takes 'query', 'mutation', 'action', or the client's own")
        return self._home.get().submit(self._call(kind, name, args, **options))

    def _call(
        self,
        kind: str,
        name: str | FunctionReference | Call[Any],
        args: Arguments | None,
        **options: Any,
    ) -> Callable[[], Coroutine[Any, Any, Any]]:
        """A call with its arguments read, to be begun in the loop's thread."""
        call = getattr(self._inner, kind)

        def begin() -> Coroutine[Any, Any, Any]:
            try:
                begun: Coroutine[Any, Any, Any] = call(name, args, **options)
            except UnsupportedTypeError:
                if isinstance(name, Call):
                    raise
                begun = call(name, without_foreign_integers(args), **options)
            return begun

        return begin


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
