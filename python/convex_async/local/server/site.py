"""The routes around functions: files, and HTTP actions on the site origin."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from msgspec import Raw

from convex_async.codec.values import to_plain_json
from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.definitions.http_actions import Request
from convex_async.local.engine.engine import Engine
from convex_async.local.server.http_bodies import json_response
from convex_async.local.server.incoming import whole
from convex_async.local.transactions.outcome import Failure

# A header's name and value (RFC 9110, 5.6.2 and 5.5).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

_log = logging.getLogger("convex_async.local")

# Bytes of a request to an HTTP action (docs.convex.dev/functions/http-actions: 20 MB).
MAX_REQUEST = 20 * 2**20


class Site:
    """Answers requests by HTTP actions.

    Args:
        prefix: of the paths, which actions do not see; the cloud origin has `/http`.
    """

    def __init__(self, engine: Engine, tokens: Tokens, *, prefix: str = "") -> None:
        self._engine = engine
        self._tokens = tokens
        self._prefix = prefix

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = unquote(request.rel_url.raw_path).removeprefix(self._prefix) or "/"
        found = self._engine.runtimes.find_route(request.method, path)
        if found is None:
            return web.Response(text="No matching routes found", status=404)
        has_body = request.method not in ("GET", "HEAD", "OPTIONS")
        asked = Request(
            request.method,
            path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await whole(request, MAX_REQUEST) if has_body else b"",
            str(request.url),
        )
        answer = await self._engine.http_action(*found, asked, await self._identity(request))
        if isinstance(answer, Failure):
            body: dict[str, Any] = {"code": answer.message}
            if answer.data is not None:
                body["data"] = Raw(to_plain_json(answer.data))
            return json_response(body, status=500)
        if problem := _unsendable(answer.status, answer.headers):
            _log.error("the HTTP action for %s %s answers with %s", request.method, path, problem)
            return json_response({"code": f"The HTTP action answers with {problem}"}, status=500)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    async def _identity(self, request: web.Request) -> Caller | None:
        """Who asks; an Authorization that is not Convex's is the action's own business."""
        try:
            return await self._tokens.from_header(
                request.headers.get("Authorization"), request.query.get("adminKey")
            )
        except TokenRefused:
            return None


def _unsendable(status: int, headers: Mapping[str, str]) -> str | None:
    """What of an answer no HTTP answer can have, or None."""
    if not 200 <= status <= 599:
        return f"the status {status}"
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"the header {name!r}, whose name or value may not be sent"
    return None
