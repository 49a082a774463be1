"""Requests of HTTP actions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from multidict import CIMultiDict

from convex_async.deployment.url import check_encrypted
from convex_async.errors import RequestTimeoutError
from convex_async.transport.http import CONNECT_TIMEOUT, Attempt, mapped_errors


@asynccontextmanager
async def open_http_action(
    session: aiohttp.ClientSession,
    site_url: str,
    method: str,
    path: str,
    *,
    token: Callable[[], Awaitable[str | None]],
    allow_insecure: bool,
    default_timeout: float | None,
    kwargs: dict[str, Any],
) -> AsyncGenerator[aiohttp.ClientResponse, None]:
    """Ask the site origin and hand the response over, its body unread."""
    if not path.startswith("/"):
        raise ValueError(f"the path of an HTTP action begins with '/', unlike {path!r}")
    headers = CIMultiDict[str](kwargs.pop("headers", None) or {})
    timeout = kwargs.pop("timeout", default_timeout)
    own, seconds = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT), timeout
    if isinstance(timeout, aiohttp.ClientTimeout):
        own, seconds = timeout, timeout.total
    what, attempt = f"{method} {path.partition('?')[0]}", Attempt()
    try:
        async with asyncio.timeout(seconds) as limit:
            if "Authorization" not in headers and (value := await token()) is not None:
                check_encrypted(site_url, allowed=allow_insecure)
                headers["Authorization"] = f"Bearer {value}"
            if own is timeout:
                limit.reschedule(None)  # aiohttp keeps it from here on
            # aiohttp does not tell when it has begun to send a body of its own making.
            attempt.sent = True
            with mapped_errors(what, attempt):
                response = await session.request(
                    method, site_url + path, headers=headers, timeout=own, **kwargs
                )
    except TimeoutError:
        raise RequestTimeoutError.after(what, seconds, attempt.outcome) from None
    async with response:
        yield response
