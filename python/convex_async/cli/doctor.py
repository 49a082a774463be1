"""`convex-async doctor`: what is between this machine and a deployment, one line a check."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import sys
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import click

from convex_async import AuthError, ConvexClientError
from convex_async.cli.common import FAILED, Target, complete, with_target
from convex_async.deployment.url import DeploymentUrl
from convex_async.version import __version__

# Seconds that one check may take, and that clocks may differ.
PATIENCE = 10.0
CLOCK = 30.0


class Finding(NamedTuple):
    """One check: its name, what was seen, and what to do if that is wrong."""

    name: str
    seen: str
    remedy: str | None = None


@click.command(epilog="Example: convex-async doctor --url https://happy-animal-123.convex.cloud")
@with_target
def command(target: Target) -> None:
    """Check the way to a deployment; exit 1 if anything is wrong, each with its remedy."""

    async def work() -> bool:
        is_well = True
        async for name, seen, remedy in findings(target):
            is_well &= remedy is None
            click.echo(f"{'ok   ' if remedy is None else 'WRONG'} {name}: {seen}")
            if remedy is not None:
                click.echo(f"      {remedy}")
        return is_well

    if not complete(work):
        sys.exit(FAILED)


async def findings(target: Target) -> AsyncIterator[Finding]:
    """Each check in turn; what needs one that failed is left out."""
    yield Finding("versions", f"convex-async {__version__}, Python {sys.version.split()[0]}")
    if target.token is not None:
        yield about_token(target.token)
    try:
        url = DeploymentUrl.parse(target.url)
    except ValueError as error:
        yield Finding("URL", str(error), "take the URL from the dashboard's Settings")
        return
    yield Finding("URL", url.url)
    parts = urlsplit(url.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding("DNS", f"{host}: {error}", "check the URL's spelling, and the network")
        return
    yield Finding("DNS", ", ".join(dict.fromkeys(str(one[4][0]) for one in found)))
    trust = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=trust)
        writer.close()
    except ssl.SSLError as error:
        yield Finding("TLS", error.reason or str(error), "install the certificate's issuer, or "
                      "point SSL_CERT_FILE at it; a proxy may be in between")  # fmt: skip
        return
    except (OSError, TimeoutError) as error:
        yield Finding("port", f"{host}:{port}: {error or 'no answer'}",
                      "is the deployment running, and the port right?")  # fmt: skip
        return
    yield Finding("TLS" if trust else "port", f"{host}:{port} is open")
    async for finding in _over_http(url, target):
        yield finding


async def _over_http(url: DeploymentUrl, target: Target) -> AsyncIterator[Finding]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        began = time.perf_counter()
        async with session.get(f"{url.url}/version") as answer:
            text = (await answer.text(errors="replace")).strip()
            took = time.perf_counter() - began
            date = answer.headers.get("Date")
        if answer.status != 200 or len(text) > 100 or "<" in text:
            yield Finding("HTTP", f"status {answer.status}, and not what a deployment says",
                          "something else answers there: check host and port")  # fmt: skip
            return
        yield Finding("HTTP", f"version {text}, {took * 1e3:.0f} ms")
        if date is not None:
            ahead = time.time() - parsedate_to_datetime(date).timestamp()
            wrong = "set this machine's clock: tokens end by it" if abs(ahead) > CLOCK else None
            yield Finding("clock", f"{ahead:+.0f} s against the deployment's", wrong)
    client = target.client()
    try:
        async with asyncio.timeout(PATIENCE):
            began = time.perf_counter()
            await client.connect()
            yield Finding("WebSocket", f"open after {(time.perf_counter() - began) * 1e3:.0f} ms")
    except AuthError as error:
        yield Finding("credentials", str(error), "sign in again, or take a new key")
    except (ConvexClientError, TimeoutError) as error:
        yield Finding("WebSocket", str(error) or "no answer",
                      "a proxy may hold back upgrades; ConvexHttpClient needs none")  # fmt: skip
    finally:
        await client.close(drain=False)


def about_token(token: str) -> Finding:
    """What a token says of itself; never the token."""
    try:
        body = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        left = float(claims["exp"]) - time.time()
    except (ValueError, IndexError, KeyError, TypeError):
        return Finding("token", "it is no JWT with an end", "give the JWT of your auth provider")
    about = f"of {claims.get('iss')}, for {claims.get('aud')}"
    if left <= 0:
        return Finding("token", f"{about}, ended {-left:.0f} s ago", "sign in again")
    return Finding("token", f"{about}, ends in {left:.0f} s")
