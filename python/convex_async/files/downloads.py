"""Downloads from file storage, streamed and checked."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import stat
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any

import aiohttp

from convex_async.errors import RequestTimeoutError, StorageError
from convex_async.files.sources import CHUNK, Patience, Progress, WritableFile, no_limit
from convex_async.transport.http import Attempt, HttpAnswer, mapped_errors, read_whole, refusal_text

# A `Content-Range` (RFC 9110, 14.4).
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


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
        partial, file = await asyncio.to_thread(_partial, path)
        try:
            with file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(os.replace, partial, path)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(partial.unlink, missing_ok=True))
            raise
        return path


def _partial(path: Path) -> tuple[Path, IO[bytes]]:
    """A file of this download's own, open, beside the target: putting it there is one step.

    It has the target's mode if that is there, else that of any new file.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(partial, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with contextlib.suppress(FileNotFoundError):
            partial.chmod(stat.S_IMODE(path.stat().st_mode))
        return partial, os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        partial.unlink()
        raise


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
    asked = (start, end) if ranged else None
    attempt, patience = Attempt(), Patience(timeout)
    try:
        async with patience.limit:
            with mapped_errors("download", attempt):
                async with session.get(
                    url,
                    headers=headers,
                    timeout=no_limit(),
                    read_bufsize=CHUNK,
                    auto_decompress=False,  # the file is what was stored
                ) as response:
                    attempt.sent = True
                    await _check(response, asked)
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


async def _check(response: aiohttp.ClientResponse, asked: tuple[int, int | None] | None) -> None:
    """Raise `StorageError` unless what comes is what was asked for.

    Args:
        asked: the range, its end exclusive; None for the whole file.
    """
    if response.status == (200 if asked is None else 206):
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise StorageError("download: the server sends the file packed, unasked")
        if asked is not None:
            _check_range(response.headers.get("Content-Range", ""), *asked)
        return
    if response.status == 200:
        raise StorageError("download: the server sends the whole file only", status=200)
    answer = HttpAnswer(response.status, response.headers, await read_whole(response, "download"))
    code, message = refusal_text(answer)
    raise StorageError(
        f"download: HTTP status {answer.status}: {code or 'no code'}: {message}",
        status=answer.status,
        code=code,
    )


def _check_range(said: str, start: int, end: int | None) -> None:
    found = _CONTENT_RANGE.fullmatch(said.strip())
    if found is not None and int(found[1]) == start:
        last, total = int(found[2]), None if found[3] == "*" else int(found[3])
        wanted = [end - 1] if end is not None else []
        wanted += [total - 1] if total is not None and (end is None or end > total) else []
        if not wanted or last in wanted:
            return
    raise StorageError(f"download: bytes from {start} were asked for, {said!r} came", status=206)


def _sha256_of(headers: Mapping[str, str]) -> str | None:
    """The SHA-256 that the server tells, in base64; None if it tells none.

    As `Digest` (RFC 3230) or `Repr-Digest` and `Content-Digest` (RFC 9530), whichever algorithms
    stand beside it.
    """
    for name in ("Digest", "Repr-Digest", "Content-Digest"):
        for part in headers.get(name, "").split(","):
            algorithm, _, value = part.strip().partition("=")
            if algorithm.lower() == "sha-256":
                return value.strip().strip(":")
    return None


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
    said = _sha256_of(response.headers)
    computed = b64encode(sha256.digest()).decode()
    if response.status == 200 and said is not None and said != computed:
        raise StorageError("download: the file is damaged: its SHA-256 is not the one told")
