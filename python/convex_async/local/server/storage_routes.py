"""Uploads and downloads of stored files."""

from __future__ import annotations

import asyncio

from aiohttp import web

from convex_async.local.engine.engine import Engine
from convex_async.local.problems import DeploymentProblem
from convex_async.local.server.http_bodies import json_response
from convex_async.local.server.incoming import pieces
from convex_async.local.store.documents import STORAGE
from convex_async.local.store.files import Files

CHUNK = 2**18


def add_storage_routes(router: web.UrlDispatcher, engine: Engine, files: Files) -> None:
    """Add upload and download of files."""

    async def upload(request: web.Request) -> web.Response:
        files.check_token(request.query.get("token", ""))
        content_type = request.headers.get("Content-Type")
        if content_type is not None and not content_type.isprintable():
            raise DeploymentProblem("BadRequest", "BadHeader", "Content-Type is no text")
        about = await files.write(pieces(request), request.headers.get("Digest"))
        about["contentType"] = content_type
        try:
            storage_id = await engine.transact(lambda t: t.insert_system(STORAGE, about))
        except BaseException:
            files.remove(about["name"])
            raise
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
