"""What a server that means ill answers over HTTP: bombs, echoes, redirects and other ranges."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from convex_async import (
    AuthError,
    ConvexClient,
    ConvexClientError,
    FunctionError,
    RemoteProtocolError,
    StorageError,
)
from convex_async.auth.credentials import MAX_SECRET
from convex_async.deployment.environment import read_configuration
from convex_async.deployment.url import is_secure
from convex_async.http import ConvexHttpClient
from convex_async.shown import CUT, escaped, without_secrets
from convex_async.transport import http as transport_http
from tests.http.conftest import ScriptedDeployment, failure, success
from tests.security.secrets import ADMIN_KEY, TOKEN, everything_shown

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedDeployment]:
    scripted = ScriptedDeployment()
    await scripted.server.start_server(access_log=None)
    yield scripted
    await scripted.server.close()


@pytest.fixture
async def client(scripted: ScriptedDeployment) -> AsyncIterator[ConvexHttpClient]:
    async with ConvexHttpClient(scripted.url, timeout=20) as client:
        yield client


def always(make: Callable[[web.Request], web.StreamResponse]) -> Answer:
    async def respond(request: web.Request) -> web.StreamResponse:
        return make(request)

    return respond


# Bombs


def bomb(request: web.Request) -> web.Response:
    packed = gzip.compress(b"a" * 2**22)
    return web.Response(body=packed, headers={"Content-Encoding": "gzip"})


async def test_an_answer_is_bounded_unpacked(
    scripted: ScriptedDeployment, client: ConvexHttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_http, "MAX_ANSWER", 2**20)
    scripted.respond = always(bomb)
    calls = [
        client.query("a:b"),
        client.mutation("a:b"),
        client.action("a:b"),
        client.upload(b"data", url=f"{scripted.url}/upload"),
        client.consistent().query("a:b"),
    ]
    for call in calls:
        with pytest.raises(RemoteProtocolError, match="larger than"):
            await call


def test_the_bound_is_that_of_a_frame() -> None:
    from convex_async.client.convex_client import MAX_MESSAGE_SIZE

    assert transport_http.MAX_ANSWER == MAX_MESSAGE_SIZE


async def test_a_download_is_never_unpacked(
    scripted: ScriptedDeployment, client: ConvexHttpClient, tmp_path: Path
) -> None:
    scripted.respond = always(bomb)
    with pytest.raises(StorageError, match="packed, unasked"):
        await client.download(f"{scripted.url}/file", tmp_path / "file")
    assert os.listdir(tmp_path) == []


# Downloads


def file_of(data: bytes, **headers: str) -> Answer:
    return always(lambda request: web.Response(body=data, headers=headers))


async def test_two_downloads_to_one_path_do_not_mix(
    scripted: ScriptedDeployment, client: ConvexHttpClient, tmp_path: Path
) -> None:
    target, second = tmp_path / "target", asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        letter = request.path[-1].encode()
        response = web.StreamResponse()
        response.content_length = 2000
        await response.prepare(request)
        await response.write(letter * 1000)
        if letter == b"a":
            await second.wait()  # it is half done while the other begins and ends
        await response.write(letter * 1000)
        return response

    scripted.respond = respond
    first = asyncio.ensure_future(client.download(f"{scripted.url}/a", target))
    await scripted.arrived.wait()
    assert await client.download(f"{scripted.url}/b", target) == target
    assert await asyncio.to_thread(target.read_bytes) == b"b" * 2000
    second.set()
    await first
    assert await asyncio.to_thread(target.read_bytes) == b"a" * 2000
    assert os.listdir(tmp_path) == ["target"]


async def test_a_download_removes_and_follows_nothing_of_the_users(
    scripted: ScriptedDeployment, client: ConvexHttpClient, tmp_path: Path
) -> None:
    precious, target = tmp_path / "precious", tmp_path / "target"
    own = tmp_path / ".target.part"  # a name that an earlier version took for its own

    def prepare() -> None:
        precious.write_bytes(b"precious")
        own.write_bytes(b"own")
        target.write_bytes(b"old")
        target.chmod(0o640)

    await asyncio.to_thread(prepare)
    scripted.respond = always(lambda request: web.Response(status=404))
    with pytest.raises(StorageError):
        await client.download(f"{scripted.url}/file", target)
    scripted.respond = file_of(b"new")
    await client.download(f"{scripted.url}/file", target)

    def look() -> tuple[bytes, ...]:
        assert target.stat().st_mode & 0o777 == 0o640
        return precious.read_bytes(), own.read_bytes(), target.read_bytes()

    assert await asyncio.to_thread(look) == (b"precious", b"own", b"new")


@pytest.mark.parametrize(
    "told", ["bytes 5-9/20", "bytes 2-8/20", "bytes 2-5/20 x", "", "items 2-6/20", "bytes 2-4/20"]
)
async def test_another_range_than_asked_is_an_error(
    scripted: ScriptedDeployment, client: ConvexHttpClient, told: str
) -> None:
    def respond(request: web.Request) -> web.Response:
        return web.Response(status=206, body=b"01234", headers={"Content-Range": told})

    scripted.respond = always(respond)
    with pytest.raises(StorageError, match="were asked for"):
        await client.download(f"{scripted.url}/file", start=2, end=7)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (2, 7, "bytes 2-6/20"),
        (2, None, "bytes 2-6/7"),
        (2, 99, "bytes 2-6/7"),
        (2, 7, "bytes 2-6/*"),
    ],
)
async def test_the_range_that_was_asked_for_is_taken(
    scripted: ScriptedDeployment, client: ConvexHttpClient, start: int, end: int, told: str
) -> None:
    def respond(request: web.Request) -> web.Response:
        return web.Response(status=206, body=b"01234", headers={"Content-Range": told})

    scripted.respond = always(respond)
    assert await client.download(f"{scripted.url}/f", start=start, end=end) == b"01234"


SHA256 = b64encode(hashlib.sha256(b"other").digest()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Digest": f"sha-256={SHA256}"},
        {"Digest": f"SHA-256={SHA256}"},
        {"Digest": f"md5=abc, sha-256={SHA256}"},
        {"Repr-Digest": f"sha-256=:{SHA256}:"},
        {"Content-Digest": f"sha-512=:x:, sha-256=:{SHA256}:"},
    ],
)
async def test_a_digest_is_read_in_every_spelling(
    scripted: ScriptedDeployment, client: ConvexHttpClient, headers: dict[str, str]
) -> None:
    scripted.respond = file_of(b"this", **headers)
    with pytest.raises(StorageError, match="damaged"):
        await client.download(f"{scripted.url}/file")
    scripted.respond = file_of(b"other", **headers)
    assert await client.download(f"{scripted.url}/file") == b"other"


# Cookies


async def test_no_cookie_of_one_user_goes_with_another(scripted: ScriptedDeployment) -> None:
    url = scripted.url.replace("127.0.0.1", "localhost")  # aiohttp takes none from an address

    def respond(request: web.Request) -> web.Response:
        answer = success(request.headers.get("Cookie", ""))
        answer.set_cookie("sid", "ada")
        return answer

    scripted.respond = always(respond)
    async with ConvexHttpClient(url) as client:
        async with client.with_auth("a.d.a").http_action("GET", "/login") as response:
            assert response.cookies["sid"].value == "ada"  # the user may look at it
        assert await client.with_auth("b.o.b").query("a:b") == ""
        assert await client.query("a:b") == ""


# Echoes


def echo(status: int) -> Answer:
    def respond(request: web.Request) -> web.Response:
        said = request.headers.get("Authorization", "")
        body = {"code": "BadHeader", "message": f"got {said!r}, {said[:40]} and {said[-40:]}"}
        return web.json_response(body, status=status)

    return always(respond)


def echo_page(request: web.Request) -> web.Response:
    text = f"<html>{'x' * 480}{request.headers.get('Authorization')}</html>"
    return web.Response(status=502, text=text)


def echo_failure(request: web.Request) -> web.Response:
    return failure(f"Uncaught Error: {request.headers.get('Authorization')}", status=560)


ECHOES = [*map(echo, (400, 401, 403, 500, 503)), always(echo_page), always(echo_failure)]


@pytest.mark.parametrize("respond", ECHOES, ids=range(len(ECHOES)))
@pytest.mark.parametrize("identity", [{"auth": TOKEN}, {"admin_key": ADMIN_KEY}], ids=str)
async def test_a_server_that_echoes_the_token_does_not_show_it(
    scripted: ScriptedDeployment, identity: dict[str, Any], respond: Answer
) -> None:
    scripted.respond = respond
    async with ConvexHttpClient(scripted.url, **identity) as client:
        with everything_shown() as shown:
            for call in (client.mutation("a:b"), client.action("a:b")):
                with pytest.raises(ConvexClientError) as raised:
                    await call
                shown.add(raised.value)
    assert shown.leaks == []


async def test_a_line_that_no_http_has_does_not_show_the_token() -> None:
    """aiohttp quotes what it can't parse: a server may give the request's own header back."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (line,) = (line for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
        writer.write(line + b" no HTTP at all\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ConvexHttpClient(url, auth=TOKEN, site_url=url) as client:
        with everything_shown() as shown:
            for call in (client.mutation("a:b"), client.http_action("GET", "/x").__aenter__()):
                with pytest.raises(ConvexClientError) as raised:
                    await call
                shown.add(raised.value)
        assert shown.leaks == []


def auth_error(token: str) -> dict[str, Any]:
    return {
        "type": "AuthError",
        "error": f"no such token {token[5:-5]}",
        "baseVersion": 0,
        "authUpdateAttempted": True,
    }


SOCKET_ECHOES: dict[str, Callable[[web.WebSocketResponse, str], Awaitable[object]]] = {
    "AuthError": lambda socket, token: socket.send_json(auth_error(token)),
    "FatalError": lambda socket, token: socket.send_json({"type": "FatalError", "error": token}),
    "close": lambda socket, token: socket.close(message=token[-60:].encode()),
}


@pytest.mark.parametrize("say", SOCKET_ECHOES.values(), ids=SOCKET_ECHOES)
@pytest.mark.parametrize("identity", [{"auth": TOKEN}, {"admin_key": ADMIN_KEY}], ids=str)
async def test_a_socket_that_echoes_the_token_does_not_show_it(
    identity: dict[str, Any],
    say: Callable[[web.WebSocketResponse, str], Awaitable[object]],
) -> None:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            said = message.json()
            if said["type"] == "Authenticate":
                await say(socket, said["value"])
        return socket

    app = web.Application()
    app.router.add_get("/api/sync", handle)
    server = TestServer(app)
    with everything_shown() as shown:
        async with server, ConvexClient(str(server.make_url("/")), **identity) as client:
            with pytest.raises(ConvexClientError) as raised:
                await client.query("a:b", timeout=0.5)
            shown.add(raised.value, client.state, client)
    assert shown.leaks == []


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_a_token_that_no_header_holds_is_refused_before_it_is_sent(
    make: Callable[..., Any],
) -> None:
    with pytest.raises(ValueError, match=f"16384 characters is too long.*at most {MAX_SECRET}"):
        make("http://127.0.0.1:9", auth="a" * 2**14)
    with pytest.raises(ValueError, match="an admin key of"):
        make("http://127.0.0.1:9", admin_key="a" * 2**14)

    async def fetch(*, force_refresh: bool) -> str:
        return "a" * 2**14

    async with ConvexHttpClient("http://127.0.0.1:9", auth=fetch) as client:
        with pytest.raises(AuthError, match="too long"):
            await client.query("a:b")


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("got Bearer abc.def", [], f"got Bearer {CUT}"),
        (f"got {TOKEN}!", [], f"got {CUT}!"),
        ("key happy-animal|0123456789abcdef0", [], f"key happy-animal|{CUT}"),
        ("part c2VjcmV0c2 of it", ["abcc2VjcmV0c2Vj"], f"part {CUT} of it"),
        ("twice secretsecret secretsecret", ["secretsecret"], f"twice {CUT} {CUT}"),
        ("short abc", ["abc"], f"short {CUT}"),
        ("www.example.com, api.tasks.list: nothing", ["0123456789"], None),
    ],
)
def test_what_is_cut(text: str, secrets: list[str], shown: str | None) -> None:
    assert without_secrets(text, secrets) == (text if shown is None else shown)


@pytest.mark.parametrize("text", ["a", "e30.", "bearer ", "eyJ.eyJ.", "|", "a|a"])
def test_cutting_is_linear(text: str) -> None:
    import time

    def seconds(size: int) -> float:
        long = text * (size // len(text))
        began = time.perf_counter()
        without_secrets(long, ["0123456789abcdef" * 100])
        return time.perf_counter() - began

    seconds(10_000)
    assert seconds(400_000) < 40 * max(seconds(40_000), 0.002)


# Control characters


async def test_control_characters_are_shown_escaped(
    scripted: ScriptedDeployment, client: ConvexHttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    evil = "\x1b]0;title\x07\x1b[2Jgone\u202e\x9b1m"
    caplog.set_level("INFO", "convex_async.functions")
    client.set_debug(True)
    scripted.respond = always(lambda request: failure(evil, status=560, logLines=[evil]))
    with pytest.raises(FunctionError) as failed:
        await client.mutation("a:b")
    scripted.respond = always(lambda request: web.Response(status=400, text=evil))
    with pytest.raises(RemoteProtocolError) as refused:
        await client.mutation("a:b")
    for text in (caplog.text, str(failed.value), str(refused.value)):
        assert r"\x1b]0;title\x07\x1b[2Jgone" in text
        assert not set(text) & set("\x1b\x07\u202e\x9b")
    assert escaped("a\tb\nc") == "a\tb\nc"


# HTTP actions


@pytest.mark.parametrize(
    "path",
    [
        "/../api/query",
        "/%2e%2e/api/query",
        "/x/../../api/query",
        "/..",
        "/.%2E/api",
    ],
)
@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_a_path_does_not_leave_the_site(
    scripted: ScriptedDeployment, make: Callable[..., Any], path: str
) -> None:
    async with make(scripted.url, auth=TOKEN) as client:  # whose site is below /http
        with pytest.raises(ValueError, match="leads out of the site"):
            async with client.http_action("GET", path):
                pass
    assert [path for path, _, _ in scripted.requests if "api/query" in path] == []


@pytest.mark.parametrize("path", ["/", "/a/b", "/a/../b", "//a", "/a%2Fb?c=/../d", "/@host/x"])
async def test_a_path_within_the_site_is_asked_for(
    scripted: ScriptedDeployment, client: ConvexHttpClient, path: str
) -> None:
    scripted.respond = always(lambda request: web.Response(text=request.path))
    async with client.http_action("GET", path) as response:
        assert (await response.text()).startswith("/http/")


@pytest.fixture
async def elsewhere() -> AsyncIterator[TestServer]:
    """Another origin, which answers with what it was sent."""

    async def handle(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        return web.json_response([body, dict(request.headers)])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(app)
    async with server:
        yield server


@pytest.mark.parametrize(
    "options", [{"json": {"a": 1}}, {"data": b"secret"}, {"headers": {"X-Api-Key": "secret"}}]
)
@pytest.mark.parametrize("status", [302, 303, 307, 308])
async def test_a_redirect_elsewhere_takes_nothing_along_unless_asked(
    scripted: ScriptedDeployment,
    client: ConvexHttpClient,
    elsewhere: TestServer,
    options: dict[str, Any],
    status: int,
) -> None:
    location = {"Location": str(elsewhere.make_url("/there"))}
    scripted.respond = always(lambda request: web.Response(status=status, headers=location))
    with pytest.raises(RemoteProtocolError, match="allow_redirects=True"):
        async with client.http_action("POST", "/x", **options):
            pass
    async with client.http_action("POST", "/x", allow_redirects=False, **options) as response:
        assert response.status == status
    async with client.http_action("POST", "/x", allow_redirects=True, **options) as response:
        assert response.status == 200


async def test_a_redirect_within_the_origin_is_followed(
    scripted: ScriptedDeployment, client: ConvexHttpClient, elsewhere: TestServer
) -> None:
    def respond(request: web.Request) -> web.Response:
        if request.path == "/http/from":
            return web.Response(status=307, headers={"Location": "/http/to"})
        return web.Response(text=request.path)

    scripted.respond = always(respond)
    async with client.http_action("POST", "/from", json={"a": 1}) as response:
        assert await response.text() == "/http/to"
    location = {"Location": str(elsewhere.make_url("/there"))}
    scripted.respond = always(lambda request: web.Response(status=302, headers=location))
    async with client.with_auth(TOKEN).http_action("GET", "/from") as response:
        _, headers = await response.json()  # nothing of its own: it may go, without the token
        assert "Authorization" not in headers


# Where a token may travel


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_this_host_may_have_a_token(host: str) -> None:
    assert is_secure(f"http://{host}:3210")


@pytest.mark.parametrize(
    "host",
    [
        "x.localhost",
        "127.999.999.999",
        "127.0.0.1.example.com",
        "localhost.evil.com",
        "10.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::2]",
        "localhost.",
    ],
)
def test_no_other_host_may_have_one_unencrypted(host: str) -> None:
    assert not is_secure(f"http://{host}:3210")
    for make in (ConvexClient, ConvexHttpClient):
        with pytest.raises(ValueError, match="unencrypted"):
            make(f"http://{host}:3210", auth=TOKEN)


def test_a_dotenv_value_is_not_interpolated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if "CONVEX" in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("SECRET", "hunter2")
    path = tmp_path / ".env.local"
    path.write_text("CONVEX_URL=https://${SECRET}.evil.com\n")
    assert "hunter2" not in read_configuration(path).url
