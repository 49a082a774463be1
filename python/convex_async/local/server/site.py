"""The routes around functions: files, and HTTP actions on the site origin."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from msgspec import Raw
from multidict import CIMultiDict

from convex_async.codec.values import to_plain_json
from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.definitions.http_actions import HttpRouter, Request, Response
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.server.http_bodies import json_response
from convex_async.local.server.incoming import bounded
from convex_async.local.transactions.outcome import Failure

# A header's name and value (RFC 9110, 5.6.2 and 5.5).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

_log = logging.getLogger("convex_async.local")

# Methods that reach an action. Source: convex-backend local_backend, http_action_handler.
METHODS = (*HttpRouter.METHODS, "HEAD")
# Headers that are the server's own business.
_FRAMING = ("content-length", "transfer-encoding", "connection")
# Bytes of an answer. Source: convex-backend crates/udf/src/http_action.rs, HTTP_ACTION_BODY_LIMIT.
MAX_ANSWER = 20 * 2**20
TOO_LARGE = "HttpResponseTooLarge: HTTP actions support responses up to 20 MiB"
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

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if request.method not in METHODS:
            return web.Response(status=405)
        path = request.rel_url.raw_path.removeprefix(self._prefix) or "/"
        found = self._engine.runtimes.find_route(request.method, path)
        if found is None:
            return web.Response(text="No matching routes found", status=404)
        has_body = request.method not in ("GET", "HEAD", "OPTIONS")
        asked = Request(
            request.method,
            path,
            request.query.items(),
            [(name.lower(), value) for name, value in request.headers.items()],
            _body(request) if has_body else b"",
            f"{_scheme(request)}://{request.host}{path}{_query(request)}",
        )

        async def send(answer: Response) -> web.StreamResponse:
            if problem := _unsendable(answer):
                _log.error(
                    "the HTTP action for %s %s answers with %s", request.method, path, problem
                )
                text = f"The HTTP action answers with {problem}"
                return json_response({"code": text}, status=500)
            if isinstance(answer.body, bytes):
                return web.Response(
                    body=answer.body, status=answer.status, headers=_headers(answer)
                )
            return await _stream(request, answer)

        sent = await self._engine.http_action(*found, asked, await self._identity(request), send)
        return _failed(sent) if isinstance(sent, Failure) else sent

    async def _identity(self, request: web.Request) -> Caller | None:
        """Who asks; an Authorization that is not Convex's is the action's own business.

        Source: convex-backend crates/local_backend/src/http_actions.rs, http_any_method.
        """
        try:
            return await self._tokens.from_header(
                request.headers.get("Authorization"), request.query.get("adminKey")
            )
        except TokenRefused as refused:
            return Caller(refusal=str(refused))


class _TooLarge(DeploymentProblem):
    @property
    def status(self) -> int:
        return 413


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """A request's body as it comes; no action can take one that is too large for its own."""
    try:
        async for piece in bounded(request, MAX_REQUEST):
            yield piece
    except web.HTTPRequestEntityTooLarge:
        text = "HTTP actions support requests up to 20 MiB"
        raise _TooLarge("BadRequest", "RequestTooLarge", text) from None


def _scheme(request: web.Request) -> str:
    """The one that was asked by: a proxy that ends TLS tells it."""
    forwarded = request.headers.get("Forwarded", "").split(",")[0]
    pairs = (pair.partition("=") for pair in forwarded.lower().split(";"))
    told = {name.strip(): value.strip().strip('"') for name, _, value in pairs}
    scheme = request.headers.get("X-Forwarded-Proto") or told.get("proto", "http")
    return scheme if scheme in ("http", "https") else "http"


def _query(request: web.Request) -> str:
    text = request.rel_url.raw_query_string
    return f"?{text}" if text else ""


def _headers(answer: Response) -> CIMultiDict[str]:
    """Those of an answer, without those that tell how it is sent."""
    pairs = answer.headers.pairs()
    return CIMultiDict(pair for pair in pairs if pair[0].lower() not in _FRAMING)


def _failed(failure: Failure) -> web.Response:
    """Source: convex-backend crates/application/src/redaction.rs, to_http_response_parts."""
    code, is_shown, trace = failure.message.partition("\n")
    body: dict[str, Any] = {"code": code}
    if is_shown:
        text = trace.partition("\n    at ")[0]
        body = {"code": f"{code}: {text}", "trace": trace}
    if failure.data is not None:
        body["data"] = Raw(to_plain_json(failure.data))
    return json_response(body, status=500)


async def _stream(request: web.Request, answer: Response) -> web.StreamResponse:
    """Send a body as it is made; if that fails, the connection is cut, as its head is gone."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    size = 0
    try:
        async for piece in answer.pieces():
            size += len(piece)
            if size > MAX_ANSWER:
                raise FunctionProblem(TOO_LARGE)
            if piece:
                await response.write(piece)
        await response.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        raise  # who asked is gone
    except Exception:
        _log.exception("the body of the HTTP action for %s failed", request.rel_url.raw_path)
        if request.transport is not None:
            request.transport.abort()
    return response


def _unsendable(answer: Response) -> str | None:
    """What of an answer no HTTP answer can have, or None."""
    if not 200 <= answer.status <= 599:
        return f"the status {answer.status}"
    if isinstance(answer.body, bytes) and len(answer.body) > MAX_ANSWER:
        return TOO_LARGE
    for name, value in answer.headers.pairs():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"the header {name!r}, whose name or value may not be sent"
    return None
