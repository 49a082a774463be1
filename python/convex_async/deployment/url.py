"""Deployment URLs and function paths: what a user may write, and what goes on the wire."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

_END_OF_HOST = re.compile(r"[|?#]")


def is_secure(url: str) -> bool:
    """Whether a token may travel to a URL: TLS, or the loopback interface."""
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    """Whether a host is this one for certain: other names go where a name server says."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_encrypted(url: str, *, allowed: bool) -> None:
    """Raise `ValueError` if a token may not travel to a URL.

    Args:
        allowed: whether it may be unencrypted.
    """
    if not (allowed or is_secure(url)):
        raise ValueError(
            f"a token for {url} would travel unencrypted: use https, or set "
            "allow_insecure=True if the network is to be trusted"
        )


class DeploymentUrl(Struct, frozen=True):
    """The origins of one deployment.

    Attributes:
        url: the cloud origin, `https://happy-animal-123.convex.cloud`, without a trailing slash.
        site_url: the origin of HTTP actions, or None where it can't be derived.
        sync_url: the WebSocket URL of the sync protocol.
    """

    url: str
    site_url: str | None
    sync_url: str

    @classmethod
    def parse(cls, url: str, *, site_url: str | None = None) -> DeploymentUrl:
        """Check a deployment URL as a user wrote it; a trailing slash and `/api` are tolerated.

        Raises:
            ValueError, TypeError: it is no deployment URL; the message names the mistake.
        """
        if not isinstance(url, str):
            raise TypeError(
                "a deployment URL is a string such as 'https://happy-animal-123.convex.cloud', "
                f"not {type(url).__name__}"
            )
        text = url.strip()
        # What is given by mistake may be a key, or a URL that holds a token or a password.
        shown = _END_OF_HOST.split(text)[0].rpartition("@")[2]
        parts = urlsplit(text)
        example = "such as https://happy-animal-123.convex.cloud"
        if parts.scheme not in ("http", "https", "ws", "wss") or "://" not in text:
            raise ValueError(
                f"{shown!r} has no scheme: a deployment URL starts with https://, {example}"
            )
        host = parts.hostname or ""
        if not host:
            raise ValueError(f"{shown!r} has no host: give the deployment URL, {example}")
        if host.endswith(".convex.site"):
            right = host.removesuffix(".site") + ".cloud"
            raise ValueError(
                f"{shown!r} serves HTTP actions only; the deployment URL is https://{right}"
            )
        if host == "dashboard.convex.dev" or host == "convex.dev":
            raise ValueError(
                f"{shown!r} is a dashboard link; its Settings page has the deployment URL, "
                f"{example}"
            )
        if parts.username or parts.password:
            raise ValueError("a deployment URL holds no user name or password")
        if parts.query or parts.fragment:
            raise ValueError(
                f"{shown!r} has a query or a fragment; give the deployment URL, {example}"
            )
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{shown!r} has no valid port") from error
        path = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
        secure = parts.scheme in ("https", "wss")
        netloc = f"[{host}]" if ":" in host else host
        if port is not None:
            netloc += f":{port}"
        origin = f"{'https' if secure else 'http'}://{netloc}{path}"
        return cls(
            url=origin,
            site_url=site_url.rstrip("/") if site_url else _derived_site_url(secure, host),
            sync_url=f"{'wss' if secure else 'ws'}://{netloc}{path}/api/sync",
        )


def _derived_site_url(secure: bool, host: str) -> str | None:
    if secure and host.endswith(".convex.cloud"):
        return f"https://{host.removesuffix('.cloud')}.site"
    return None
