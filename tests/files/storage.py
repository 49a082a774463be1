"""File storage of a few lines, which keeps what is uploaded only if it came whole."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode

from aiohttp import web
from aiohttp.test_utils import TestServer


class Storage:
    """Serves `/upload`, `/file` with ranges, and `/damaged`; `respond` can be replaced."""

    def __init__(self) -> None:
        self.stored: list[tuple[bytes, dict[str, str]]] = []
        self.status = 200
        self.cut_at: int | None = None
        self.silent = asyncio.Event()
        self.silent.set()
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/upload", self._upload)
        app.router.add_get("/file", self._file)
        app.router.add_get("/damaged", self._damaged)
        app.router.add_post("/api/mutation", self._mutation)
        self.server = TestServer(app)

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))

    async def _mutation(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "success", "value": self.url("/upload?token=t0ken")})

    async def _upload(self, request: web.Request) -> web.Response:
        if self.status != 200:
            await request.read()
            body = {"code": "StorageTokenExpired", "message": "too late"}
            return web.json_response(body, status=self.status)
        if self.cut_at is not None:
            await request.content.readexactly(self.cut_at)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        self.stored.append((await request.read(), dict(request.headers)))
        await self.silent.wait()
        return web.json_response({"storageId": f"kg{len(self.stored)}"})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        data = self.stored[-1][0]
        await self.silent.wait()
        if "Range" in request.headers:
            piece = data[request.http_range]
            start = request.http_range.start or 0
            told = {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(data)}"}
            return web.Response(status=206 if piece else 416, body=piece, headers=told)
        digest = b64encode(hashlib.sha256(data).digest()).decode()
        response = web.StreamResponse(headers={"Digest": f"sha-256={digest}"})
        response.content_length = len(data)
        await response.prepare(request)
        await response.write(data[: self.cut_at])
        if self.cut_at is not None:
            assert request.transport is not None
            request.transport.abort()
        return response

    async def _damaged(self, request: web.Request) -> web.Response:
        digest = b64encode(hashlib.sha256(b"other").digest()).decode()
        return web.Response(body=b"this", headers={"Digest": f"sha-256={digest}"})
