"""Uploads to file storage, streamed: a file of any size in a constant amount of memory."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import msgspec

from convex_async.errors import RemoteProtocolError, RequestTimeoutError, StorageError
from convex_async.files.sources import CHUNK, Patience, Progress, ReadableFile, Source, no_limit
from convex_async.transport.http import Attempt, HttpAnswer, mapped_errors, read_whole, refusal_text


class _Stored(msgspec.Struct, rename="camel"):
    storage_id: str


class _Source:
    """What is uploaded: its size and digest if they can be told ahead, and its bytes."""

    def __init__(self, size: int | None, digest: str | None, chunks: AsyncIterable[bytes]) -> None:
        self.size = size
        self.digest = digest
        self._chunks = chunks
        self.error: BaseException | None = None

    async def body(
        self, attempt: Attempt, patience: Patience, progress: Progress | None
    ) -> AsyncGenerator[bytes, None]:
        """The request body; a fault of the source is kept, for aiohttp would wrap it."""
        sent = 0
        try:
            patience.pause()
            async for chunk in self._chunks:
                patience.renew()
                yield chunk
                sent += len(chunk)
                if progress is not None:
                    progress(sent, self.size)
                patience.pause()
            if self.size is not None and sent != self.size:
                raise OSError(f"the source changed: {sent} bytes came where {self.size} were told")
            if sent == 0 and progress is not None:
                progress(0, self.size)
        except Exception as error:
            self.error = error
            raise
        patience.renew()
        attempt.sent = True  # a body that breaks off is never stored; from here on it may be


async def upload(
    session: aiohttp.ClientSession,
    url: str,
    source: Source,
    *,
    content_type: str | None,
    progress: Progress | None,
    timeout: float | None,
) -> str:
    """Send a file to an upload URL; see `ClientBase.upload`.

    Source: convex-backend crates/local_backend/src/storage.rs.
    """
    if isinstance(source, str | os.PathLike):
        with await asyncio.to_thread(open, source, "rb") as file:
            kind = content_type or mimetypes.guess_type(os.fspath(source))[0]
            return await _upload(session, url, await _of_file(file), kind, progress, timeout)
    if isinstance(source, bytes | bytearray | memoryview):
        prepared = _Source(len(source), await _digest(source), _slices(source))
        return await _upload(session, url, prepared, content_type, progress, timeout)
    if isinstance(source, AsyncIterable):
        prepared = _Source(None, None, source)
        return await _upload(session, url, prepared, content_type, progress, timeout)
    if not hasattr(source, "read"):
        raise TypeError(
            "an upload is a path, bytes, a binary file or an async iterator of bytes, "
            f"not {type(source).__name__}"
        )
    name = getattr(source, "name", None)
    guess = mimetypes.guess_type(name)[0] if isinstance(name, str) else None
    return await _upload(
        session, url, await _of_file(source), content_type or guess, progress, timeout
    )


async def _upload(
    session: aiohttp.ClientSession,
    url: str,
    source: _Source,
    content_type: str | None,
    progress: Progress | None,
    timeout: float | None,
) -> str:
    headers = {"Content-Type": content_type or "application/octet-stream"}
    if source.size is not None:
        headers["Content-Length"] = str(source.size)
    if source.digest is not None:
        headers["Digest"] = f"sha-256={source.digest}"
    attempt, patience = Attempt(), Patience(timeout)
    try:
        async with patience.limit, aclosing(source.body(attempt, patience, progress)) as body:
            with mapped_errors("upload", attempt):
                async with session.post(
                    url, data=body, headers=headers, timeout=no_limit(), allow_redirects=False
                ) as response:
                    answer = HttpAnswer(
                        response.status, response.headers, await read_whole(response, "upload")
                    )
    except TimeoutError:
        if not patience.limit.expired():
            raise
        known = "the file may have been stored" if attempt.sent else "nothing was stored"
        raise RequestTimeoutError(
            f"upload: no progress for {timeout} s; {known}", outcome=attempt.outcome
        ) from None
    except ConnectionError as error:
        if source.error is not None:
            raise source.error from None
        known = "the file may have been stored" if attempt.sent else "nothing was stored"
        raise StorageError(f"{error}; {known}", outcome=attempt.outcome) from error
    return _storage_id(answer)


def _storage_id(answer: HttpAnswer) -> str:
    if answer.status != 200:
        code, message = refusal_text(answer)
        # An answer of 5xx may come after the file was stored, one of 4xx may not.
        unknown = answer.status >= 500
        raise StorageError(
            f"upload: HTTP status {answer.status}: {code or 'no code'}: {message}; "
            + ("the file may have been stored" if unknown else "nothing was stored"),
            outcome="unknown" if unknown else "not_sent",
            status=answer.status,
            code=code,
        )
    try:
        return msgspec.json.decode(answer.body, type=_Stored).storage_id
    except msgspec.DecodeError as error:
        raise RemoteProtocolError(f"upload: the answer has no storage id: {error}") from error


async def _of_file(file: Any) -> _Source:
    """A file from where it stands; read twice if it can seek, as the digest goes ahead."""
    if not (hasattr(file, "seekable") and file.seekable()):
        return _Source(None, None, _read(file))
    start: int = file.tell()
    size, digest = await asyncio.to_thread(_measure, file)
    file.seek(start)
    return _Source(size, digest, _read(file))


def _measure(file: ReadableFile) -> tuple[int, str]:
    size, sha256 = 0, hashlib.sha256()
    while data := _binary(file.read(CHUNK)):
        size += len(data)
        sha256.update(data)
    return size, b64encode(sha256.digest()).decode()


async def _read(file: ReadableFile) -> AsyncIterator[bytes]:
    while data := _binary(await asyncio.to_thread(file.read, CHUNK)):
        yield data


def _binary(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError("open the file to upload in binary mode, 'rb'")
    return data


async def _digest(data: bytes | bytearray | memoryview) -> str:
    sha256 = await asyncio.to_thread(hashlib.sha256, data)
    return b64encode(sha256.digest()).decode()


async def _slices(data: bytes | bytearray | memoryview) -> AsyncIterator[bytes]:
    view = memoryview(data).cast("B")
    for start in range(0, len(view), CHUNK):
        yield bytes(view[start : start + CHUNK])
