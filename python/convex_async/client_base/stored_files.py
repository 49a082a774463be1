"""Stored files: what both clients do with them, over one aiohttp session."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from convex_async.calls import MutationCall
from convex_async.client_base.asked import unpack
from convex_async.client_base.signatures import Calls
from convex_async.function_path import FunctionReference
from convex_async.values import Arguments

if TYPE_CHECKING:
    import aiohttp

    from convex_async.files.sources import Progress, Source, WritableFile

    File = TypeVar("File", bound=WritableFile)


class StoredFiles(Calls):
    """Uploads and downloads; a subclass has the session."""

    @abstractmethod
    def _http_session(self) -> aiohttp.ClientSession:
        """The session, made at first use; called inside the running loop.

        Raises:
            ClientClosedError: the client is closed.
            LocalProtocolError: the client belongs to another loop, thread or process.
        """

    async def upload(
        self,
        source: Source,
        *,
        url: str | FunctionReference | MutationCall[str],
        args: Arguments | None = None,
        content_type: str | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> str:
        """Store a file, streaming it, and return its storage id.

        Args:
            source: a path, bytes, a file open in binary mode (from where it stands), or an async
                iterator of chunks.
            url: an upload URL, or the path of a mutation that generates one.
            args: the mutation's arguments.
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
        if isinstance(url, FunctionReference | MutationCall) or "://" not in url:
            path, given, _ = unpack("mutation", url, args, None)
            target: str = await self.mutation(path, given, timeout=timeout, type=str)
        elif args is not None:
            raise ValueError("args= are a mutation's: give its path as url=, not an upload URL")
        else:
            target = url
        return await uploads.upload(
            session,
            target,
            source,
            content_type=content_type,
            progress=progress,
            timeout=self._limit(timeout),
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
        to: str | os.PathLike[str],
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Path: ...
    @overload
    async def download(
        self,
        url: str,
        to: File,
        *,
        start: int = 0,
        end: int | None = None,
        progress: Progress | None = None,
        timeout: float | EllipsisType | None = ...,
    ) -> File: ...
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
            timeout=self._limit(timeout),
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
            timeout=self._limit(timeout),
        )
