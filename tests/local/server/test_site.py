"""Files and HTTP actions over bare requests."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from convex_async import ConvexError
from convex_async.local import Functions, LocalDeployment, Request, Response

DATA = bytes(range(256)) * 4


def make_functions() -> Functions:
    functions = Functions()

    @functions.mutation("files:start")
    async def start(ctx: Any) -> Any:
        return await ctx.storage.generate_upload_url()

    @functions.query("files:url")
    async def url(ctx: Any, id: str) -> Any:
        return await ctx.storage.get_url(id)

    async def hook(ctx: Any, request: Request) -> Response:
        user = await ctx.auth.get_user_identity()
        body = await request.text()
        name = None if user is None else user["subject"]
        return Response(json=[request.method, body, name], status=201, headers={"X-Mine": "1"})

    for method in ("GET", "POST", "OPTIONS"):
        functions.http_action(method, "/hook")(hook)

    @functions.http_action("GET", "/full")
    async def full(ctx: Any, request: Request) -> Response:
        raise ConvexError({"code": "FULL"})

    return functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def stored(deployment: LocalDeployment, session: aiohttp.ClientSession) -> str:
    """The URL of a file that holds DATA."""
    upload = await deployment.run("files:start")
    digest = b64encode(hashlib.sha256(DATA).digest()).decode()
    headers = {"Content-Type": "image/x-test", "Digest": f"sha-256={digest}"}
    async with session.post(upload, data=DATA, headers=headers) as response:
        assert response.status == 200
        storage_id = (await response.json())["storageId"]
    url: str = await deployment.run("files:url", {"id": storage_id})
    assert storage_id not in url
    return url


async def test_a_whole_file(deployment: LocalDeployment, session: aiohttp.ClientSession) -> None:
    async with session.get(await stored(deployment, session)) as response:
        assert await response.read() == DATA
        told = response.headers
        digest = b64encode(hashlib.sha256(DATA).digest()).decode()
        assert told["Digest"] == f"sha-256={digest}"
        assert told["Content-Type"] == "image/x-test"
        assert told["Content-Length"] == "1024"
        assert told["Cache-Control"] == "private, max-age=2592000"
        assert told["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "status", "piece", "told"),
    [
        ("bytes=0-9", 206, DATA[:10], "bytes 0-9/1024"),
        ("bytes=1000-", 206, DATA[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", 206, DATA[-24:], "bytes 1000-1023/1024"),
        ("bytes=1000-5000", 206, DATA[1000:], "bytes 1000-1023/1024"),
        ("bytes=0-1,5-6", 416, b"", None),
        ("bytes=5000-", 416, b"", None),
        ("lines=1-2", 200, DATA, None),
        ("bytes=nonsense", 416, b"", None),
    ],
)
async def test_ranges_of_a_file(
    deployment: LocalDeployment,
    session: aiohttp.ClientSession,
    asked: str,
    status: int,
    piece: bytes,
    told: str | None,
) -> None:
    url = await stored(deployment, session)
    async with session.get(url, headers={"Range": asked}) as response:
        assert response.status == status
        if status != 416:
            assert await response.read() == piece
            assert response.headers.get("Content-Range") == told
            assert ("Digest" in response.headers) == (status == 200)


@pytest.mark.parametrize(
    ("digest", "code"),
    [("sha-256=AAAA", "BadHeader"), ("md5=AAAA", "BadHeader"), (None, "Sha256Mismatch")],
)
async def test_a_file_that_is_not_what_its_digest_says_is_not_kept(
    deployment: LocalDeployment,
    session: aiohttp.ClientSession,
    digest: str | None,
    code: str,
) -> None:
    upload = await deployment.run("files:start")
    wrong = b64encode(hashlib.sha256(b"other").digest()).decode()
    headers = {"Digest": digest or f"sha-256={wrong}"}
    async with session.post(upload, data=DATA, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, code)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("00000000-0000-4000-8000-000000000000", 404, "FileNotFound"),
        ("..%2Fsecret", 400, "InvalidStoragePath"),
    ],
)
async def test_files_that_there_are_not(
    deployment: LocalDeployment,
    session: aiohttp.ClientSession,
    path: str,
    status: int,
    code: str,
) -> None:
    async with session.get(f"{deployment.url}/api/storage/{path}") as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


async def test_an_upload_url_takes_files_for_an_hour(
    deployment: LocalDeployment,
    session: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def upload(url: str) -> tuple[int, str | None]:
        async with session.post(url, data=DATA) as response:
            return response.status, (await response.json()).get("code")

    url = await deployment.run("files:start")
    assert await upload(url) == (200, None)
    assert await upload(url) == (200, None)
    later = time.time() + 3601
    monkeypatch.setattr("convex_async.local.store.files.time.time", lambda: later)
    assert await upload(url) == (401, "StorageTokenExpired")
    nowhere = f"{deployment.url}/api/storage/upload?token=nonsense"
    assert await upload(nowhere) == (401, "StorageTokenInvalid")


@pytest.mark.parametrize("origin", ["site", "cloud"])
async def test_http_actions_on_both_origins(
    deployment: LocalDeployment, session: aiohttp.ClientSession, origin: str
) -> None:
    base = deployment.site_url if origin == "site" else f"{deployment.url}/http"
    token = f"Bearer {deployment.issue_token('ada')}"
    for method, header, told in (
        ("POST", token, ["POST", "body", "ada"]),
        ("GET", token, ["GET", "", "ada"]),
        ("OPTIONS", token, ["OPTIONS", "", "ada"]),
    ):
        headers = {"Authorization": header, "Origin": "https://app.example"}
        url = f"{base}/hook"
        async with session.request(method, url, data="body", headers=headers) as response:
            assert response.status == 201
            assert await response.json() == told
            assert response.headers["X-Mine"] == "1"
            # What other origins may do is the action's own business.
            assert "Access-Control-Allow-Origin" not in response.headers
    async with session.head(f"{base}/hook") as response:
        assert response.status == 201
    async with session.get(f"{base}/nowhere") as response:
        assert (response.status, await response.text()) == (404, "No matching routes found")
    async with session.get(f"{base}/full") as response:
        body = await response.json()
        assert (response.status, body["data"]) == (500, {"code": "FULL"})
        assert "Server Error" in body["code"]
