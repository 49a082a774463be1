"""Bodies of requests: bounded in bytes and in time, and as they were sent."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from aiohttp import web

from convex_async.local.problems import DeploymentProblem

# Bytes that are read at a time.
PIECE = 2**18
# Seconds without a byte after which a connection is closed, or a body is given up.
IDLE_TIMEOUT = 75.0
# Encodings that zlib unpacks, told apart by how they begin (zlib.decompressobj).
_PACKED = {"gzip", "x-gzip", "deflate"}
_EITHER = 32 + zlib.MAX_WBITS


async def pieces(request: web.Request) -> AsyncIterator[bytes]:
    """A body as it comes, still packed if it was sent so.

    Raises:
        DeploymentProblem: nothing comes any more.
    """
    while True:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                piece = await request.content.read(PIECE)
        except TimeoutError:
            raise DeploymentProblem(
                "BadRequest", "RequestTimeout", f"no byte of the body came in {IDLE_TIMEOUT} s"
            ) from None
        if not piece:
            return
        yield piece


async def bounded(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """A body as it comes. Raises as `whole`."""
    size = 0
    async for piece in pieces(request):
        size += len(piece)
        if size > limit:
            raise web.HTTPRequestEntityTooLarge(limit, size)
        yield piece


async def whole(request: web.Request, limit: int) -> bytes:
    """All of a body, as it was sent.

    Raises:
        HTTPRequestEntityTooLarge: it has over `limit` bytes.
        DeploymentProblem: nothing comes any more.
    """
    return b"".join([piece async for piece in bounded(request, limit)])


async def unpacked(request: web.Request, limit: int) -> bytes:
    """All of a body, unpacked if it is packed; neither form has over `limit` bytes.

    Raises:
        HTTPRequestEntityTooLarge: it has more.
        DeploymentProblem: it is packed in another way, or nothing comes any more.
    """
    body = await whole(request, limit)
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in _PACKED:
        raise DeploymentProblem(
            "BadRequest", "UnsupportedEncoding", "a body is packed by gzip or deflate, or not"
        )
    try:
        text = await asyncio.to_thread(zlib.decompressobj(_EITHER).decompress, body, limit + 1)
    except zlib.error:
        raise DeploymentProblem(
            "BadRequest", "UnsupportedEncoding", f"the body is not {encoding}"
        ) from None
    if len(text) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, len(text))
    return text
