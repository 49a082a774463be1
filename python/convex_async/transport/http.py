"""HTTP requests over aiohttp, whose exceptions become ours here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec
from multidict import CIMultiDict

from convex_async.deployment.url import is_secure
from convex_async.errors import (
    AuthError,
    ConvexClientError,
    Outcome,
    RemoteProtocolError,
    RequestTimeoutError,
    TransportError,
)

# Seconds for one TCP and TLS handshake; a whole call has its own limit.
CONNECT_TIMEOUT = 30.0
# Characters of a refusal's text that are shown: a proxy may answer with a page.
SHOWN = 500

# Refusals of a credential that come with status 400 (convex-backend crates/local_backend).
CREDENTIAL_CODES = frozenset({"InvalidHeaderFailure", "InvalidAdminKey", "HeaderParseFailure"})


class Attempt:
    """One request on its way: whether any of it may have reached the deployment."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False

    @property
    def outcome(self) -> Outcome:
        """What is known if no answer comes."""
        return "unknown" if self.sent else "not_sent"

    async def body(self, data: bytes) -> AsyncGenerator[bytes, None]:
        """A request body that notes when it is asked for, which is after connecting."""
        self.sent = True
        yield data


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Refusal(msgspec.Struct):
    """What the deployment says of a request that it does not take."""

    code: str
    message: str


async def post(
    session: aiohttp.ClientSession,
    url: str,
    data: bytes,
    headers: Mapping[str, str],
    attempt: Attempt,
) -> HttpAnswer:
    """POST JSON and read the answer; redirects are not followed, for a token may go along.

    Raises:
        TransportError: no answer came, with its outcome.
    """
    with mapped_errors(url, attempt):
        async with session.post(
            url,
            data=attempt.body(data),
            headers={
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            allow_redirects=False,
        ) as response:
            return HttpAnswer(response.status, response.headers, await response.read())


@contextmanager
def mapped_errors(where: str, attempt: Attempt) -> Generator[None, None, None]:
    """Turn what aiohttp raises into a TransportError that tells the outcome.

    Args:
        where: what was not reached, for the message; nothing secret.
    """
    try:
        yield
    except TransportError:
        raise  # ours already, though an OSError too
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise TransportError(f"{where}: not a valid URL") from None  # aiohttp's text shows it
    except aiohttp.TooManyRedirects:
        raise TransportError(f"{where}: too many redirects") from None
    except (aiohttp.ClientError, OSError) as error:
        if attempt.sent:
            text = f"{where}: the connection was lost before the answer: {_describe(error)}"
        else:
            text = f"{where}: no connection: {_describe(error)}"
        raise TransportError(text, outcome=attempt.outcome) from error


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def refusal(answer: HttpAnswer, what: str) -> ConvexClientError:
    """The error that an answer other than a function's stands for.

    Args:
        what: what was asked for, such as the function path.

    Source: convex-backend crates/errors, the HTTP status of each category.
    """
    code, message = refusal_text(answer)
    status = answer.status
    text = f"{what}: the deployment answered with HTTP status {status}{_colon(code, message)}"
    if status in (401, 403) or code in CREDENTIAL_CODES:
        return AuthError(text)
    # Overloaded, rate limited and the like come before a function runs, or take its commit back.
    if status in (421, 425, 429) or (status == 503 and code is not None):
        return TransportError(text, outcome="not_sent")
    if status == 408 or status >= 500:
        return TransportError(text, outcome="unknown")
    if 300 <= status < 400:
        return RemoteProtocolError(f"{text}; a redirect is not followed: is the URL right?")
    return RemoteProtocolError(text)


def refusal_text(answer: HttpAnswer) -> tuple[str | None, str]:
    """The deployment's code, if the answer is the deployment's own, and the text."""
    try:
        refused = msgspec.json.decode(answer.body, type=_Refusal)
    except msgspec.DecodeError:
        return None, answer.body.decode(errors="replace")[:SHOWN].strip()
    return refused.code, refused.message[:SHOWN]


def _colon(code: str | None, message: str) -> str:
    return "".join(f": {part}" for part in (code, message) if part)


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
                if not (is_secure(site_url) or allow_insecure):
                    raise ValueError(
                        f"a token for {site_url} would travel unencrypted: use https, or set "
                        "allow_insecure=True if the network is to be trusted"
                    )
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
        known = "it may have run" if attempt.sent else "it was not sent"
        raise RequestTimeoutError(
            f"{what}: no answer within {seconds} s; {known}", outcome=attempt.outcome
        ) from None
    async with response:
        yield response
