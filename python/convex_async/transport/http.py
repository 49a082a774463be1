"""HTTP requests over aiohttp, whose exceptions become ours here and nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import msgspec

from convex_async.errors import (
    Outcome,
    RemoteProtocolError,
    RequestTimeoutError,
    TransportError,
)
from convex_async.shown import escaped, without_secrets

# Seconds for one TCP and TLS handshake; a whole call has its own limit.
CONNECT_TIMEOUT = 30.0
# Bytes of a whole answer, unpacked: as many as a frame of the socket may have.
MAX_ANSWER = 64 * 2**20
# Characters of a refusal's text that are shown: a proxy may answer with a page.
SHOWN = 500


class Attempt:
    """One request on its way: whether any of it may have reached the deployment."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent: bool = False

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
    """A whole answer.

    Attributes:
        secrets: what the request told the server, and its answer may hold.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    secrets: tuple[str, ...] = field(default=(), repr=False)


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
    secrets = (headers.get("Authorization", "").partition(" ")[2],)
    with mapped_errors(url, attempt, secrets):
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
            body = await read_whole(response, url)
            return HttpAnswer(response.status, response.headers, body, secrets)


async def read_whole(response: aiohttp.ClientResponse, where: str) -> bytes:
    """The body, unpacked.

    Raises:
        RemoteProtocolError: it is larger than any answer may be.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER:
            response.close()
            raise RemoteProtocolError(f"{where}: the answer is larger than {MAX_ANSWER} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def ping(session: aiohttp.ClientSession, url: str, timeout: float | None) -> float:
    """The seconds that a deployment takes to tell its version.

    Source: convex-backend crates/local_backend/src/router.rs, `/version`.
    """
    attempt, began = Attempt(), time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            with mapped_errors(url, attempt):
                async with session.get(
                    f"{url}/version",
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
                    allow_redirects=False,
                ) as response:
                    status = response.status
    except TimeoutError:
        raise RequestTimeoutError.after(f"{url}: ping", timeout, "not_sent") from None
    if status >= 500:
        raise TransportError(f"{url} answers with HTTP status {status}")
    if status != 200:
        raise RemoteProtocolError(
            f"{url} is no Convex deployment, or no longer: it answers with HTTP status {status}"
        )
    return time.perf_counter() - began


@contextmanager
def mapped_errors(
    where: str, attempt: Attempt, secrets: Sequence[str] = ()
) -> Generator[None, None, None]:
    """Turn what aiohttp raises into a TransportError that tells the outcome.

    Args:
        where: what was not reached, for the message; nothing secret.
        secrets: what is cut out of aiohttp's texts, which may quote the server's.
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
        said = _describe(error)
        told = escaped(without_secrets(said, secrets))
        if attempt.sent:
            text = f"{where}: the connection was lost before the answer: {told}"
        else:
            text = f"{where}: no connection: {told}"
        raise TransportError(text, outcome=attempt.outcome) from error if told == said else None


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def refusal_text(answer: HttpAnswer) -> tuple[str | None, str]:
    """The deployment's code, if the answer is the deployment's own, and the text."""
    try:
        refused = msgspec.json.decode(answer.body, type=_Refusal)
    except msgspec.DecodeError:
        return None, _shown(answer.body.decode(errors="replace"), answer)
    return _shown(refused.code, answer), _shown(refused.message, answer)


def _shown(text: str, answer: HttpAnswer) -> str:
    # A little more than is shown is searched, for a credential that the end would halve.
    return escaped(without_secrets(text[: 4 * SHOWN], answer.secrets))[:SHOWN].strip()
