"""What both clients do the same way, over their own calls and one aiohttp session."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from convex_async.client_base.pagination import Paginator
from convex_async.deployment.environment import configured
from convex_async.deployment.url import DeploymentUrl
from convex_async.function_path import FunctionReference

if TYPE_CHECKING:
    import aiohttp

    from convex_async.files.sources import Progress, Source, WritableFile

T = TypeVar("T")


class ClientBase(ABC):
    """Pagination, files and HTTP actions; subclasses have the calls.

    A subclass sets `_deployment`, `_timeout` (the client's own default, seconds or None) and
    `_allow_insecure`, and has `query`, `mutation`, `_http_session` and `_user_token`.
    """

    _deployment: DeploymentUrl
    _timeout: float | None
    _allow_insecure: bool

    @abstractmethod
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...

    @abstractmethod
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...

    @abstractmethod
    def _http_session(self) -> aiohttp.ClientSession:
        """The session, made at first use; called inside the running loop.

        Raises:
            ClientClosedError: the client is closed.
            LocalProtocolError: the client belongs to another loop, thread or process.
        """

    @abstractmethod
    async def _user_token(self) -> str | None:
        """The user's JWT as it would go on a request now; None for admins and for nobody."""

    @classmethod
    def from_env(cls, dotenv: str | os.PathLike[str] | None = ".env.local", **options: Any) -> Self:
        """A client for the deployment that the environment, or `.env.local`, names.

        Looks for `CONVEX_URL` and its prefixed forms (`NEXT_PUBLIC_CONVEX_URL`,
        `VITE_CONVEX_URL`, ...) with `CONVEX_SITE_URL`, then for `CONVEX_SELF_HOSTED_URL` with
        `CONVEX_SELF_HOSTED_ADMIN_KEY`, which is used unless `auth` or `admin_key` is given.

        Args:
            dotenv: a file of the working directory to look in after the environment; None for
                none. It needs the extra `convex-async[dotenv]`.
            options: as the constructor takes them; they win over what is found.

        Raises:
            ValueError: no URL is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options)
        make: Any = cls  # each subclass has a constructor of its own
        client: Self = make(url, **options)
        return client

    @property
    def url(self) -> str:
        """The deployment's origin, such as `https://happy-animal-123.convex.cloud`."""
        return self._deployment.url

    @property
    def site_url(self) -> str:
        """The origin of HTTP actions, such as `https://happy-animal-123.convex.site`.

        Where none was given and none can be derived, it is `/http` on the deployment's own
        origin, which self-hosted and local deployments serve.
        """
        return self._deployment.site_url or f"{self.url}/http"

    @overload
    def paginate(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: type[T],
    ) -> Paginator[T]: ...
    @overload
    def paginate(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        page_size: int = 100,
        cursor: str | None = None,
        type: Any = None,
    ) -> Paginator[Any]: ...
    def paginate(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
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
        return Paginator(
            lambda path, args, type: self.query(path, args, type=type),
            path,
            args,
            page_size=page_size,
            cursor=cursor,
            type=type,
        )

    async def upload(
        self,
        source: Source,
        *,
        url: str | FunctionReference,
        content_type: str | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> str:
        """Store a file, streaming it, and return its storage id.

        Args:
            source: a path, bytes, a file open in binary mode (from where it stands), or an async
                iterator of chunks.
            url: an upload URL, or the path of a mutation that generates one without arguments.
            content_type: stored with the file; guessed from the file's name if it has one.
            progress: called in the loop with the bytes sent and the total, None if unknown.
            timeout: seconds without any progress; the client's own by default.

        Raises:
            ValueError: the URL is not a whole one.
            StorageError, RequestTimeoutError: with `.outcome` "not_sent" if nothing was stored,
                "unknown" if the file may have been. Cancelling tells nothing.
            FunctionError: the mutation failed.
            OSError: the source can't be read; nothing was stored.
        """
        from convex_async.files import uploads

        session = self._http_session()
        if isinstance(url, str) and url.startswith(("/", "?")):
            # Taken for a function's path it would be shown in an error, its token included.
            raise ValueError("an upload URL is a whole one, https://…, as the deployment gave it")
        if isinstance(url, FunctionReference) or "://" not in url:
            target: str = await self.mutation(url, timeout=timeout, type=str)
        else:
            target = url
        return await uploads.upload(
            session,
            target,
            source,
            content_type=content_type,
            progress=progress,
            timeout=self._timeout if timeout is ... else timeout,
        )

    @overload
    async def download(
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
    async def download(
        self,
        url: str,
        to: str | os.PathLike[str] | WritableFile,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any: ...
    async def download(
        self,
        url: str,
        to: str | os.PathLike[str] | WritableFile | None = None,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Any:
        """Fetch a stored file by the URL that a function gave, streaming it.

        What comes is checked against the length and the SHA-256 that the deployment sends.

        Args:
            url: from `ctx.storage.getUrl()`; no token is sent to it.
            to: a path to write, which appears complete or not at all; a file open in binary
                mode; None to return the bytes.
            start: the first byte wanted.
            end: the byte to stop before; None for the end of the file.
            progress: called in the loop with the bytes received and the total, None if unknown.
            timeout: seconds without any progress; the client's own by default.

        Returns:
            The bytes, or `to`: the `Path` that was written, or the file.

        Raises:
            StorageError: there is no such file, it is damaged, or the connection was lost.
            RequestTimeoutError: nothing came for `timeout` seconds.
            OSError: the target can't be written.
        """
        from convex_async.files import downloads

        return await downloads.download(
            self._http_session(),
            url,
            to,
            start=start,
            end=end,
            progress=progress,
            timeout=self._timeout if timeout is ... else timeout,
        )

    def download_chunks(
        self,
        url: str,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> AsyncGenerator[bytes, None]:
        """Fetch a stored file chunk by chunk, for passing it on; otherwise as `download`.

        Close the iterator (`contextlib.aclosing`) if you leave it before its end.
        """
        from convex_async.files import downloads

        return downloads.download_chunks(
            self._http_session(),
            url,
            start=start,
            end=end,
            progress=progress,
            timeout=self._timeout if timeout is ... else timeout,
        )

    def http_action(
        self, method: str, path: str, **kwargs: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Call an HTTP action: `async with client.http_action("POST", "/hook", json=...) as r`.

        The user's token goes along unless `headers` has an Authorization; an admin key does not,
        for the action's own code would see it.

        Args:
            path: on `site_url`, with its query.
            kwargs: as `aiohttp.ClientSession.request` takes them. `timeout` may be seconds, until
                the answer's headers are there, the wait for a token included; the client's own
                by default.

        Raises:
            TransportError, RequestTimeoutError: with `.outcome`. A status of 400 or more is an
                answer, and raises nothing.
        """
        from convex_async.transport.http_action import open_http_action

        return open_http_action(
            self._http_session(),
            self.site_url,
            method,
            path,
            token=self._user_token,
            allow_insecure=self._allow_insecure,
            default_timeout=self._timeout,
            kwargs=kwargs,
        )
