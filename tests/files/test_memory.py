"""A file of any size costs a constant amount of memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

SIZE = 200 * 2**20
LIMIT = 50.0  # MiB above the baseline


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.timeout(180)
async def test_200_megabytes_each_way(tmp_path: Path) -> None:
    received: list[str] = []
    sent = hashlib.sha256()
    block = bytes(range(256)) * 4096

    async def upload(request: web.Request) -> web.Response:
        sha256 = hashlib.sha256()
        async for chunk in request.content.iter_any():
            sha256.update(chunk)
        received.append(sha256.hexdigest())
        return web.json_response({"storageId": "kg"})

    async def download(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = SIZE
        await response.prepare(request)
        for _ in range(SIZE // len(block)):
            await response.write(block)
        return response

    def make_source() -> None:
        with (tmp_path / "source.bin").open("wb") as file:
            for _ in range(SIZE // len(block)):
                file.write(block)
                sent.update(block)

    await asyncio.to_thread(make_source)
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/upload", upload)
    app.router.add_get("/file", download)
    async with TestServer(app) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("large.py")),
            str(server.make_url("/upload")),
            str(server.make_url("/file")),
            str(tmp_path),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    measured = json.loads(out)
    assert measured["upload"] == [SIZE, SIZE]
    assert measured["download"] == [SIZE, SIZE]
    assert await asyncio.to_thread(os.path.getsize, tmp_path / "target.bin") == SIZE
    assert received[1] == sent.hexdigest()
    assert measured["peak"] < LIMIT
