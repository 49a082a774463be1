"""HTTP requests over aiohttp, whose exceptions become ours here and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import msgspec

from convex_async.errors import (
    Outcome,
    TransportError,
)

# Seconds for one TCP and TLS handshake; a whole call has its own limit.
CONNECT_TIMEOUT = 30.0
# Characters of a refusal's text that are shown: a proxy may answer with a page.
SHOWN = 500


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


def refusal_text(answer: HttpAnswer) -> tuple[str | None, str]:
    """The deployment's code, if the answer is the deployment's own, and the text."""
    try:
        refused = msgspec.json.decode(answer.body, type=_Refusal)
    except msgspec.DecodeError:
        return None, answer.body.decode(errors="replace")[:SHOWN].strip()
    return refused.code, refused.message[:SHOWN]
