"""Deployment URLs and function paths: what a user may write, and what goes on the wire."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType
from urllib.parse import urlsplit

from msgspec import Struct

from convex_async.function_path import FunctionReference

FunctionPath = NewType("FunctionPath", str)
"""A function path in canonical form: `module:function`, no `.js`."""

# convex-backend crates/common/src/components and sync_types: a module segment, at most 64 bytes.
_SEGMENT = re.compile(r"[A-Za-z0-9_.]*[A-Za-z0-9][A-Za-z0-9_.]*", re.ASCII)
_IDENTIFIER = re.compile(r"(?=_*[A-Za-z0-9])[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_LIMIT = 64
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1|.*\.localhost")


def canonical_path(path: str | FunctionReference) -> FunctionPath:
    """The one spelling of a function path: `messages`, `messages.js:default` -> `messages:default`.

    Raises:
        ValueError: the deployment would not parse the path, and would end the session over it.
        TypeError: the path is not a string.

    Source: convex-js src/server/... `canonicalizeUdfPath`; convex-backend `CanonicalizedUdfPath`.
    """
    if isinstance(path, FunctionReference):
        path = str(path)
    if not isinstance(path, str):
        raise TypeError(f"a function path is a string such as 'tasks:list', not {path!r}")
    return _canonical(path)


@lru_cache(maxsize=1024)
def _canonical(path: str) -> FunctionPath:
    module, colon, function = path.rpartition(":")
    if not colon:
        module, function = path, "default"
    module = module.removesuffix(".js")
    segments = module.split("/")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or len(segment) > _NAME_LIMIT - 3:
            raise ValueError(
                f"{path!r} is not a function path: the module name {module!r} may hold letters, "
                "digits, '_' and '/', as in 'tasks:list' or 'admin/users:get'"
            )
    if "." in segments[-1]:
        raise ValueError(f"{path!r} is not a function path: leave out the file's extension")
    if not _IDENTIFIER.fullmatch(function) or len(function) > _NAME_LIMIT:
        raise ValueError(
            f"{path!r} is not a function path: {function!r} is not the name of a function"
        )
    return FunctionPath(f"{module}:{function}")


def is_secure(url: str) -> bool:
    """Whether a token may travel to a URL: TLS, or the loopback interface."""
    parts = urlsplit(url)
    return parts.scheme == "https" or bool(_LOOPBACK.fullmatch(parts.hostname or ""))


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

    @property
    def is_secure(self) -> bool:
        """Whether a token may travel to it: TLS, or the loopback interface."""
        return is_secure(self.url)

    @classmethod
    def parse(cls, url: str, *, site_url: str | None = None) -> DeploymentUrl:
        """Check a deployment URL as a user wrote it; a trailing slash and `/api` are tolerated.

        Raises:
            ValueError: it is no deployment URL; the message names the mistake.
        """
        text = url.strip()
        # What is given by mistake may be a key, or a URL that holds a token or a password.
        shown = re.split(r"[|?#]", text)[0].rpartition("@")[2]
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
