"""Downloads from file storage, streamed and checked."""

from __future__ import annotations

import asyncio
import hashlib
import os
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp

from convex_async.errors import RequestTimeoutError, StorageError
from convex_async.files.sources import CHUNK, Patience, Progress, WritableFile, no_limit
from convex_async.transport.http import Attempt, HttpAnswer, mapped_errors, refusal_text


async def download(
    session: aiohttp.ClientSession,
    url: str,
    to: str | os.PathLike[str] | WritableFile | None,
    *,
    start: int,
    end: int | None,
    progress: Progress | None,
    timeout: float | None,
) -> Any:
    """Fetch a stored file into memory, a path or a file; see `ClientBase.download`."""
    chunks = download_chunks(session, url, start=start, end=end, progress=progress, timeout=timeout)
    async with aclosing(chunks):
        if to is None:
            return b"".join([chunk async for chunk in chunks])
        if not isinstance(to, str | os.PathLike):
            async for chunk in chunks:
                await asyncio.to_thread(to.write, chunk)
            return to
        path = Path(to)
        # Beside the target, so that putting it there is one step.
        partial = path.with_name(f".{path.name}.part")
        try:
            with await asyncio.to_thread(open, partial, "wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(os.replace, partial, path)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(partial.unlink, missing_ok=True))
            raise
        return path


async def download_chunks(
    session: aiohttp.ClientSession,
    url: str,
    *,
    start: int = 0,
    end: int | None = None,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> AsyncGenerator[bytes, None]:
    """The chunks of a stored file as they come; see `ClientBase.download_chunks`."""
    if start < 0 or (end is not None and end <= start):
        raise ValueError(f"no bytes from {start} to {end}: a range is 0 <= start < end")
    headers = {"Accept-Encoding": "identity"}  # so that lengths and digests are the file's own
    ranged = start > 0 or end is not None
    if ranged:
        headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
    attempt, patience = Attempt(), Patience(timeout)
    try:
        async with patience.limit:
            with mapped_errors("download", attempt):
                async with session.get(
                    url, headers=headers, timeout=no_limit(), read_bufsize=CHUNK
                ) as response:
                    attempt.sent = True
                    await _check(response, ranged)
                    async for chunk in _received(response, progress):
                        patience.pause()
                        yield chunk
                        patience.renew()
    except TimeoutError:
        if not patience.limit.expired():
            raise
        raise RequestTimeoutError(f"download: nothing came for {timeout} s") from None
    except StorageError:
        raise
    except ConnectionError as error:
        raise StorageError(f"{error}; the file did not come whole") from error


async def _check(response: aiohttp.ClientResponse, ranged: bool) -> None:
    if response.status == (206 if ranged else 200):
        return
    if response.status == 200:
        raise StorageError("download: the server sends the whole file only", status=200)
    answer = HttpAnswer(response.status, response.headers, await response.read())
    code, message = refusal_text(answer)
    raise StorageError(
        f"download: HTTP status {answer.status}: {code or 'no code'}: {message}",
        status=answer.status,
        code=code,
    )


async def _received(
    response: aiohttp.ClientResponse, progress: Progress | None
) -> AsyncGenerator[bytes, None]:
    received, total, sha256 = 0, response.content_length, hashlib.sha256()
    async for chunk in response.content.iter_any():
        received += len(chunk)
        sha256.update(chunk)
        if progress is not None:
            progress(received, total)
        yield chunk
    if received == 0 and progress is not None:
        progress(0, total)
    said = response.headers.get("Digest", "")
    computed = "sha-256=" + b64encode(sha256.digest()).decode()
    if response.status == 200 and said.startswith("sha-256=") and said != computed:
        raise StorageError("download: the file is damaged: its SHA-256 is not the one told")
