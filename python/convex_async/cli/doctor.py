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

from convex_async import ConvexClientError, FunctionError
from convex_async.cli.common import FAILED, REFUSED, Target, code_of, complete, with_target
from convex_async.cli.run import API_SPEC
from convex_async.deployment.url import DeploymentUrl
from convex_async.http.answers import deprecation
from convex_async.version import CLIENT_HEADER, __version__

# Seconds that one check may take, and that clocks may differ.
PATIENCE = 10.0
CLOCK = 30.0

ANOTHER = "something else answers there: check host and port"
UPGRADE = "pip install --upgrade convex-async"
UPGRADES = "a proxy may hold back upgrades; ConvexHttpClient needs none"
ISSUER = "install the certificate's issuer, or point SSL_CERT_FILE at it; a proxy may be in between"


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
        yield about_tls(error)
        return
    except (OSError, TimeoutError) as error:
        yield Finding("port", f"{host}:{port}: {error or 'no answer'}",
                      "is the deployment running, and the port right?")  # fmt: skip
        return
    yield Finding("TLS" if trust else "port", f"{host}:{port} is open")
    async for finding in _over_http(url, target):
        yield finding


async def _over_http(url: DeploymentUrl, target: Target) -> AsyncIterator[Finding]:
    headers = {"Convex-Client": CLIENT_HEADER}
    began = time.perf_counter()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session,
            session.get(f"{url.url}/version", headers=headers) as answer,
        ):
            text = (await answer.text(errors="replace")).strip()
    except (aiohttp.ClientError, TimeoutError) as error:
        yield Finding("HTTP", str(error) or "no answer", ANOTHER)
        return
    took = time.perf_counter() - began
    if told := deprecation(answer.headers):
        yield Finding("client version", told, UPGRADE)
        if told.startswith("Unsupported"):
            return  # every request is refused for it, whatever else is right
    if answer.status != 200 or len(text) > 100 or "<" in text:
        yield Finding("HTTP", f"status {answer.status}, and not what a deployment says", ANOTHER)
        return
    yield Finding("HTTP", f"version {text}, {took * 1e3:.0f} ms")
    if (date := answer.headers.get("Date")) is not None:
        yield about_clock(date)
    client = target.client()
    try:
        async with asyncio.timeout(PATIENCE):
            began = time.perf_counter()
            await client.connect()
            yield Finding("WebSocket", f"open after {(time.perf_counter() - began) * 1e3:.0f} ms")
    except (ConvexClientError, TimeoutError) as error:
        yield Finding("WebSocket", str(error) or "no answer", UPGRADES)
    finally:
        await client.close(drain=False)
    if target.admin_key or target.token:
        yield await about_credentials(target)


async def about_credentials(target: Target) -> Finding:
    """Whether the deployment takes the key or the token: it looks at them before the function."""
    what = "the token" if target.token else "the admin key"
    try:
        async with target.http_client() as client:
            await client.query(API_SPEC, {}, timeout=PATIENCE)
    except FunctionError:
        pass  # a user may not read it
    except ConvexClientError as error:
        if code_of(error) == REFUSED:
            return Finding("credentials", str(error), "sign in again, or take a new key")
        return Finding("credentials", str(error), "try again: nothing was said of them")
    return Finding("credentials", f"{what} is taken")


def about_tls(error: ssl.SSLError) -> Finding:
    """Why there is no TLS: the certificate, or that the other side speaks none."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        if "expired" in why or "not yet valid" in why:
            return Finding("TLS", why, "is this machine's clock right? Else renew the certificate")
        if "mismatch" in why:
            return Finding("TLS", why, "the certificate is another host's: check the URL's")
        return Finding("TLS", why, ISSUER)
    return Finding("TLS", error.reason or str(error), "it may speak no TLS: is it http://?")


def about_clock(date: str) -> Finding:
    """How far this machine's clock is from a `Date` header, in seconds."""
    try:
        ahead = time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("clock", f"no date: {date[:40]!r}", ANOTHER)
    remedy = "set this machine's clock: tokens end by it" if abs(ahead) > CLOCK else None
    return Finding("clock", f"{ahead:+.0f} s against the deployment's", remedy)


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
