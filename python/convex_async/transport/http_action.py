"""Requests of HTTP actions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType
from multidict import CIMultiDict
from yarl import URL

from convex_async.deployment.url import check_encrypted
from convex_async.errors import RemoteProtocolError, RequestTimeoutError
from convex_async.transport.http import CONNECT_TIMEOUT, Attempt, mapped_errors

# The arguments of aiohttp's that make a body.
_BODIES = ("data", "json")


def _action_url(site_url: str, path: str) -> URL:
    """Where an HTTP action is, which is below the site's own URL.

    Raises:
        ValueError: the path leads out of there, where the token is not meant to go.
    """
    if not path.startswith("/"):
        raise ValueError(f"the path of an HTTP action begins with '/', unlike {path!r}")
    site, url = URL(site_url), URL(site_url + path)
    if url.origin() != site.origin() or not url.path.startswith(site.path.rstrip("/") + "/"):
        raise ValueError(f"{path.partition('?')[0]!r} leads out of the site {site_url}")
    return url


def _staying_at(url: URL) -> ClientMiddlewareType:
    """Keeps a body and headers from going where a redirect says, unless the user asks for that."""

    async def stay(
        request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() != url.origin():
            raise RemoteProtocolError(
                f"{url.path} redirects to {request.url.origin()}, which is not followed with a "
                "body or headers: give allow_redirects=True if it is to be"
            )
        return await handler(request)

    return stay


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
    url = _action_url(site_url, path)
    headers = CIMultiDict[str](kwargs.pop("headers", None) or {})
    if "allow_redirects" not in kwargs and (headers or any(map(kwargs.get, _BODIES))):
        kwargs["middlewares"] = (*kwargs.get("middlewares", ()), _staying_at(url))
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
            secrets = (headers.get("Authorization", "").partition(" ")[2],)
            with mapped_errors(what, attempt, secrets):
                response = await session.request(
                    method, url, headers=headers, timeout=own, **kwargs
                )
    except TimeoutError:
        raise RequestTimeoutError.after(what, seconds, attempt.outcome) from None
    async with response:
        yield response
