"""HTTP actions over bare requests: nothing of a request or an answer is lost or made up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl

from convex_async import ConvexError
from convex_async.local import (
    Functions,
    LocalDeployment,
    Request,
    Response,
    define_schema,
    define_table,
    v,
)
from convex_async.local.server import site


def make_functions() -> Functions:
    functions = Functions(define_schema({"hits": define_table({"path": v.string()})}))

    @functions.internal_mutation("hits:add")
    async def add(ctx: Any, path: str) -> None:
        await ctx.db.insert("hits", {"path": path})

    @functions.internal_query("hits:list")
    async def hits(ctx: Any) -> list[str]:
        return [hit["path"] for hit in await ctx.db.query("hits").collect()]

    @functions.http_action("GET", "/limited")
    async def limited(ctx: Any, request: Request) -> Response:
        return Response(
            "slow down",
            status=429,
            headers={"Retry-After": 30, "X-Share": 0.5, "X-Whole": 2.0, "X-On": True},
        )

    @functions.http_action("GET", "/cookies")
    async def cookies(ctx: Any, request: Request) -> Response:
        answer = Response("x", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        answer.headers.add("set-cookie", "c=3")
        return answer

    @functions.http_action("GET", "/echo/*")
    async def echo(ctx: Any, request: Request) -> Response:
        return Response(
            json={
                "method": request.method,
                "path": request.path,
                "url": request.url,
                "tags": request.query.getall("tag"),
                "tag": request.query["tag"],
                "x": [request.headers["X-A"], request.headers.getall("x-a")],
            }
        )

    @functions.http_action("GET", "/echo/special/*")
    async def special(ctx: Any, request: Request) -> Response:
        return Response("special")

    @functions.http_action("GET", "/echo/special/exact")
    async def exact(ctx: Any, request: Request) -> Response:
        return Response(b"exact", headers={"content-type": "text/html"})

    @functions.http_action("POST", "/stream")
    async def stream(ctx: Any, request: Request) -> Response:
        async def shouted() -> AsyncIterator[bytes | str]:
            async for piece in request.stream():
                await ctx.run_mutation("hits:add", {"path": piece.decode()})
                yield piece.upper()
            yield "!"

        return Response(shouted(), headers={"Content-Type": "text/plain"})

    @functions.http_action("GET", "/broken")
    async def broken(ctx: Any, request: Request) -> Response:
        def pieces() -> Any:
            yield "some"
            raise ValueError("and no more")

        return Response(pieces())

    @functions.http_action("POST", "/size")
    async def size(ctx: Any, request: Request) -> Response:
        return Response(json=len(await request.bytes()))

    @functions.http_action("GET", "/large")
    async def large(ctx: Any, request: Request) -> Response:
        return Response(bytes(site.MAX_ANSWER + 1))

    @functions.http_action("GET", "/fails")
    async def fails(ctx: Any, request: Request) -> Response:
        raise ConvexError({"code": "FULL"})

    @functions.http_action("GET", "/whoami")
    async def whoami(ctx: Any, request: Request) -> Response:
        if "quiet" in request.query:
            return Response(request.headers["Authorization"])
        if "ask" in request.query:
            try:
                await ctx.auth.get_user_identity()
            except Exception as error:
                return Response(f"refused: {error}", status=401)
        return Response(json=await ctx.auth.get_user_identity())

    return functions


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions(), tmp_path / "data.sqlite") as deployment:
        yield deployment


@pytest.fixture
async def session(deployment: LocalDeployment) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(deployment.site_url) as session:
        yield session


def raw(deployment: LocalDeployment, path: str) -> yarl.URL:
    return yarl.URL(deployment.site_url + path, encoded=True)


async def test_values_of_headers_become_text_as_in_javascript(
    session: aiohttp.ClientSession,
) -> None:
    async with session.get("/limited") as response:
        assert (response.status, await response.text()) == (429, "slow down")
        told = [response.headers[name] for name in ("Retry-After", "X-Share", "X-Whole", "X-On")]
        assert told == ["30", "0.5", "2", "true"]
        assert response.headers["Content-Type"] == "text/plain;charset=UTF-8"


async def test_several_cookies_are_set(session: aiohttp.ClientSession) -> None:
    async with session.get("/cookies") as response:
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2", "c=3"]


@pytest.mark.parametrize("origin", ["site", "cloud"])
async def test_a_request_is_told_whole(deployment: LocalDeployment, origin: str) -> None:
    base = deployment.site_url if origin == "site" else f"{deployment.url}/http"
    headers = [("X-A", "1"), ("X-A", "2")]
    rest = "/echo/a%2Fb/%C3%A9?tag=1&tag=2%263&e="
    host = base.removesuffix("/http")
    async with aiohttp.ClientSession() as session:
        for scheme, extra in (
            ("http", []),
            ("https", [("X-Forwarded-Proto", "https")]),
            ("https", [("Forwarded", 'for=1.2.3.4;proto="https", proto=http')]),
        ):
            url = yarl.URL(base + rest, encoded=True)
            async with session.get(url, headers=headers + extra) as response:
                assert await response.json() == {
                    "method": "GET",
                    "path": "/echo/a%2Fb/%C3%A9",
                    "url": host.replace("http", scheme, 1) + rest,
                    "tags": ["1", "2&3"],
                    "tag": "1",
                    "x": ["1, 2", ["1", "2"]],
                }


async def test_the_exact_path_and_the_longest_prefix_go_first(
    session: aiohttp.ClientSession,
) -> None:
    for path, told in (("exact", b"exact"), ("other", b"special"), ("", b"special")):
        async with session.get(f"/echo/special/{path}") as response:
            assert await response.read() == told
            is_exact = path == "exact"
            assert response.content_type == ("text/html" if is_exact else "text/plain")


async def test_head_is_asked_of_get(session: aiohttp.ClientSession) -> None:
    async with session.head("/cookies") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert response.headers.getall("Set-Cookie") == ["a=1", "b=2", "c=3"]
    async with session.request("PROPFIND", "/cookies") as response:
        assert response.status == 405


async def test_bodies_are_streamed_both_ways(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    heard = asyncio.Event()

    async def sent() -> AsyncIterator[bytes]:
        yield b"one"
        await heard.wait()  # its answer came before the rest was sent
        yield b"two"

    async with asyncio.timeout(20), session.post("/stream", data=sent()) as response:
        assert await response.content.readany() == b"ONE"
        assert await deployment.run("hits:list") == ["one"]
        heard.set()
        assert await response.content.read() == b"TWO!"
    assert await deployment.run("hits:list") == ["one", "two"]


async def test_a_stream_that_fails_is_cut_and_not_ended(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with session.get("/broken") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert "the body of the HTTP action for /broken failed" in caplog.text
    assert "and no more" in caplog.text


async def test_too_large_bodies_are_refused(
    deployment: LocalDeployment,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with session.post("/size", data=BytesIO(bytes(site.MAX_REQUEST))) as response:
        assert await response.json() == site.MAX_REQUEST
    async with session.post("/size", data=BytesIO(bytes(site.MAX_REQUEST + 1))) as response:
        assert (response.status, (await response.json())["code"]) == (413, "RequestTooLarge")
    caplog.set_level(logging.CRITICAL)
    async with session.get("/large") as response:
        assert response.status == 500
        assert "HttpResponseTooLarge" in (await response.json())["code"]


async def test_an_error_has_code_trace_and_data(
    session: aiohttp.ClientSession,
) -> None:
    async with session.get("/fails") as response:
        body = await response.json()
    assert response.status == 500
    text = 'Uncaught ConvexError: {"code":"FULL"}'
    assert body["code"].startswith("[Request ID: ")
    assert body["code"].endswith(f"] Server Error: {text}")
    assert body["trace"].startswith(f"{text}\n    at fails (test_http_actions.py:")
    assert body["data"] == {"code": "FULL"}


async def test_an_error_of_production_says_no_more_than_its_code() -> None:
    async with (
        LocalDeployment(make_functions(), redact=True) as deployment,
        aiohttp.ClientSession(deployment.site_url) as session,
        session.get("/fails") as response,
    ):
        body = await response.json()
    assert body["code"].endswith("] Server Error")
    assert body.keys() == {"code", "data"}


@pytest.mark.parametrize("header", ["Bearer of news", "Basic b3duOmF1dGg=", "Convex wrong|key"])
async def test_a_foreign_authorization_matters_to_who_asks_for_the_user(
    session: aiohttp.ClientSession, header: str
) -> None:
    headers = {"Authorization": header}
    async with session.get("/whoami?quiet", headers=headers) as response:
        assert (response.status, await response.text()) == (200, header)
    async with session.get("/whoami?ask", headers=headers) as response:
        assert response.status == 401
        assert (await response.text()).startswith("refused: ")
        assert header.partition(" ")[2] not in await response.text()
    async with session.get("/whoami", headers=headers) as response:
        assert response.status == 500
        assert (await response.json()).keys() == {"code", "trace"}
    async with session.get("/whoami") as response:
        assert await response.json() is None


@pytest.mark.parametrize("path", ["/.files", "/.files/mine", "/a*", "a"])
def test_paths_that_no_action_can_have(path: str) -> None:
    with pytest.raises(ValueError, match=r"slash|own"):
        Functions().http_action("GET", path)(lambda ctx, request: None)
