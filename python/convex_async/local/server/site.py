"""The routes around functions: files, and HTTP actions on the site origin."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from msgspec import Raw

from convex_async.codec.values import to_plain_json
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.context.context import Identity
from convex_async.local.definitions.http_actions import Request
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import DeploymentProblem
from convex_async.local.server.http_api import json_response
from convex_async.local.store.files import STORAGE, Files
from convex_async.local.transactions.outcome import Failure

CHUNK = 2**18
# Bytes of a request to an HTTP action (docs.convex.dev/functions/http-actions: 20 MB).
MAX_REQUEST = 20 * 2**20


def add_storage_routes(router: web.UrlDispatcher, engine: Engine, files: Files) -> None:
    """Add upload and download of files."""

    async def upload(request: web.Request) -> web.Response:
        files.check_token(request.query.get("token", ""))
        about = await files.write(
            request.content.iter_chunked(CHUNK), request.headers.get("Digest")
        )
        about["contentType"] = request.headers.get("Content-Type")
        storage_id = await engine.transact(lambda t: t.insert_system(STORAGE, about))
        return json_response({"storageId": storage_id})

    async def download(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        path = files.path(name)
        document = engine.store.first(STORAGE, lambda fields: fields["name"] == name)
        if document is None:
            raise DeploymentProblem("NotFound", "FileNotFound", "there is no such file")
        headers = {"Cache-Control": "private, max-age=2592000", "Accept-Ranges": "bytes"}
        if document.fields["contentType"]:
            headers["Content-Type"] = document.fields["contentType"]
        asked = request.headers.get("Range")
        if asked is not None and asked.startswith("bytes="):
            return web.FileResponse(path, headers=headers, chunk_size=CHUNK)
        headers["Digest"] = f"sha-256={document.fields['sha256']}"
        if asked is None:
            return web.FileResponse(path, headers=headers, chunk_size=CHUNK)
        # Of another unit it is no range; FileResponse would refuse it.
        return web.Response(body=await asyncio.to_thread(path.open, "rb"), headers=headers)

    router.add_post("/api/storage/upload", upload)
    router.add_get("/api/storage/{name}", download)


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
        handler = self._engine.functions.http.find(request.method, path)
        if handler is None:
            return web.Response(text="No matching routes found", status=404)
        has_body = request.method not in ("GET", "HEAD", "OPTIONS")
        asked = Request(
            request.method,
            path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read() if has_body else b"",
        )
        answer = await self._engine.http_action(handler, asked, await self._identity(request))
        if isinstance(answer, Failure):
            body: dict[str, Any] = {"code": answer.message}
            if answer.data is not None:
                body["data"] = Raw(to_plain_json(answer.data))
            return json_response(body, status=500)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    async def _identity(self, request: web.Request) -> Identity | None:
        """Who asks; an Authorization that is not Convex's is the action's own business."""
        try:
            return await self._tokens.from_header(
                request.headers.get("Authorization"), request.query.get("adminKey")
            )
        except TokenRefused:
            return None
