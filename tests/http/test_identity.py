"""Who an HTTP request is made as, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import traceback
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from convex_async import AuthError
from convex_async.http import ConvexHttpClient
from tests.http.conftest import ScriptedDeployment, refused, success


def jwt(name: str, lifetime: float = 3600) -> str:
    claims = msgspec.json.encode({"sub": name, "iat": 1000, "exp": 1000 + lifetime})
    return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.{name}"


@pytest.fixture
async def client(deployment: ScriptedDeployment) -> AsyncIterator[ConvexHttpClient]:
    async def respond(request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "")
        return refused(401, "Unauthenticated") if "bad" in token else success(token)

    deployment.respond = respond
    async with ConvexHttpClient(deployment.url) as client:
        yield client


async def test_tokens_keys_and_users_acted_as(client: ConvexHttpClient) -> None:
    assert await client.query("a:b") == ""
    client.set_auth("x.y.z")
    assert await client.query("a:b") == "Bearer x.y.z"
    client.set_admin_auth("prod:happy-animal-1|secret")
    assert await client.query("a:b") == "Convex happy-animal-1|secret"
    client.set_admin_auth("n|s", {"tokenIdentifier": "t"})
    scheme, key = (await client.query("a:b")).split()
    assert scheme == "Convex"
    assert key.startswith("n|s:")
    assert msgspec.json.decode(b64decode(key[4:])) == {"tokenIdentifier": "t"}
    client.set_auth(None)
    assert await client.query("a:b") == ""


async def test_a_call_runs_as_who_made_it(client: ConvexHttpClient) -> None:
    client.set_auth("first.x.y")
    call = client.query("a:b")
    client.set_auth("second.x.y")
    assert await call == "Bearer first.x.y"


async def test_views_share_the_session_and_nothing_else(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async with client.with_auth("u.s.r") as view:
        assert await view.query("a:b") == "Bearer u.s.r"
    assert await client.query("a:b") == ""
    assert await view.query("a:b") == "Bearer u.s.r"


async def test_a_refused_token_is_final_until_another_is_set(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    client.set_auth("bad.x.y")
    for _ in range(2):
        with pytest.raises(AuthError, match="Unauthenticated"):
            await client.mutation("a:b")
    assert len(deployment.requests) == 1
    client.clear_auth()
    assert await client.query("a:b") == ""


async def test_a_fetcher_is_asked_once_and_renewed_in_time(
    client: ConvexHttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    asked: list[bool] = []

    async def fetch(*, force_refresh: bool) -> str | None:
        asked.append(force_refresh)
        await asyncio.sleep(0)
        return jwt(f"n{len(asked)}", lifetime=60)

    client.set_auth(fetch)
    first = await asyncio.gather(*(client.query("a:b") for _ in range(5)))
    assert set(first) == {f"Bearer {jwt('n1', 60)}"}
    now += 49
    assert await client.query("a:b") == first[0]
    now += 1.5
    assert (await client.query("a:b")).endswith("n2")
    assert asked == [False, True]


async def test_a_refused_fetched_token_is_fetched_anew_twice(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    tokens = [jwt("bad1"), jwt("bad2"), jwt("good"), jwt("bad3"), jwt("bad4"), jwt("bad5")]
    asked: list[bool] = []

    async def fetch(*, force_refresh: bool) -> str | None:
        asked.append(force_refresh)
        return tokens[len(asked) - 1]

    client.set_auth(fetch)
    assert await client.mutation("a:b") == f"Bearer {jwt('good')}"
    assert asked == [False, True, True]
    client.set_auth(fetch)
    for _ in range(2):
        with pytest.raises(AuthError):
            await client.mutation("a:b")
    assert asked == [False, True, True] * 2
    assert len(deployment.requests) == 6


async def test_a_fetcher_that_gives_up_after_a_refusal_runs_nothing_anonymously(
    deployment: ScriptedDeployment, client: ConvexHttpClient
) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        return None if force_refresh else jwt("bad")

    client.set_auth(fetch)
    for _ in range(2):
        with pytest.raises(AuthError):
            await client.query("a:b")
    assert len(deployment.requests) == 1


async def test_a_fetcher_that_says_nobody_is_nobody(client: ConvexHttpClient) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        return None

    client.set_auth(fetch)
    assert await client.query("a:b") == ""


async def test_a_fetcher_that_raises_is_tried_again(
    client: ConvexHttpClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_BACKOFF_INITIAL", 0.001)
    failures = 2

    async def fetch(*, force_refresh: bool) -> str | None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError(f"the provider is down, asked with {jwt('secret-token')}")
        return jwt("ok")

    client.set_auth(fetch)
    assert (await client.query("a:b")).endswith("ok")
    failures = 100
    client.set_auth(fetch)
    with pytest.raises(AuthError, match="OSError") as raised:
        await client.query("a:b")
    assert failures == 97
    assert "the provider is down, asked with [cut]" in caplog.text
    assert "secret-token" not in caplog.text
    assert "secret-token" not in "".join(traceback.format_exception(raised.value))


async def test_secrets_are_shown_nowhere(
    deployment: ScriptedDeployment, client: ConvexHttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "bad.c2VjcmV0.secret"
    client.set_auth(secret)
    with pytest.raises(AuthError) as raised:
        await client.query("a:b")
    shown = repr(client) + "".join(traceback.format_exception(raised.value)) + caplog.text
    shown += repr(vars(client)) + repr(client.with_auth(secret))
    assert secret not in shown


def test_tokens_do_not_travel_in_the_clear() -> None:
    url = "http://example.com:3210"
    for options in ({"auth": "a.b.c"}, {"admin_key": "n|s"}):
        with pytest.raises(ValueError, match="unencrypted"):
            ConvexHttpClient(url, **options)  # type: ignore[arg-type]
        ConvexHttpClient(url, allow_insecure=True, **options)  # type: ignore[arg-type]
    client = ConvexHttpClient(url)
    with pytest.raises(ValueError, match="unencrypted"):
        client.with_auth("a.b.c")
    ConvexHttpClient("https://example.com", auth="a.b.c")
    with pytest.raises(ValueError, match="not both"):
        ConvexHttpClient("https://example.com", auth="a.b.c", admin_key="k")
    with pytest.raises(ValueError, match="admin_key"):
        ConvexHttpClient("https://example.com", acting_as={"tokenIdentifier": "t"})
