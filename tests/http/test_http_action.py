"""HTTP actions over a scripted site, and tokens that must not go astray."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from convex_async import RequestTimeoutError, TransportError
from convex_async.http import ConvexHttpClient
from tests.http.conftest import ScriptedDeployment


async def test_a_request_goes_to_the_site_as_the_user(deployment: ScriptedDeployment) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"url": str(request.rel_url), "user": request.headers.get("Authorization")},
            status=418,
        )

    deployment.respond = respond
    cloud = "https://happy-animal-123.convex.cloud"
    async with ConvexHttpClient(cloud, site_url=f"{deployment.url}/") as client:

        async def ask(method: str = "GET", **kwargs: object) -> dict[str, str]:
            async with client.http_action(method, "/hook?x=1", **kwargs) as response:
                assert response.status == 418  # an answer like others
                answer: dict[str, str] = await response.json()
                return answer

        assert await ask() == {"url": "/hook?x=1", "user": None}
        client.set_auth("u.s.r")
        assert (await ask())["user"] == "Bearer u.s.r"
        mine = {"authorization": "Basic mine"}
        assert (await ask("POST", json={"a": 1}, headers=mine))["user"] == "Basic mine"
        client.set_admin_auth("name|secret")
        assert (await ask())["user"] is None
    assert deployment.requests[2][2] == {"a": 1}


async def test_the_site_url_is_derived_or_stands_on_the_deployments_own() -> None:
    assert ConvexHttpClient("https://a-b-1.convex.cloud").site_url == "https://a-b-1.convex.site"
    assert ConvexHttpClient("http://127.0.0.1:3210").site_url == "http://127.0.0.1:3210/http"


async def test_time_limits_and_lost_connections(deployment: ScriptedDeployment) -> None:
    hold = asyncio.Event()

    async def respond(request: web.Request) -> web.StreamResponse:
        await hold.wait()
        return web.Response()

    deployment.respond = respond
    async with ConvexHttpClient(deployment.url, timeout=0.1) as client:
        with pytest.raises(RequestTimeoutError, match="GET /slow") as raised:
            async with client.http_action("GET", "/slow?token=5ecret"):
                pass
        assert raised.value.outcome == "unknown"
        assert "5ecret" not in str(raised.value)
        with pytest.raises(RequestTimeoutError):
            async with client.http_action("GET", "/slow", timeout=0.05):
                pass
        own = aiohttp.ClientTimeout(total=0.05)
        with pytest.raises(TransportError):
            async with client.http_action("GET", "/slow", timeout=own):
                pass
        hold.set()
        with pytest.raises(ValueError, match="begins with '/'"):
            async with client.http_action("GET", "https://elsewhere.example/"):
                pass
        await deployment.server.close()
        with pytest.raises(TransportError):
            async with client.http_action("GET", "/gone"):
                pass


@pytest.mark.parametrize("timeout", [0.05, aiohttp.ClientTimeout(total=0.05)], ids=["s", "own"])
async def test_the_time_limit_holds_for_the_token_too(
    deployment: ScriptedDeployment, timeout: object
) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        raise OSError("the provider is down")

    async with ConvexHttpClient(deployment.url, auth=fetch) as client:
        with pytest.raises(RequestTimeoutError, match="not sent") as raised:
            async with client.http_action("GET", "/hook", timeout=timeout):
                pass
    assert raised.value.outcome == "not_sent"
    assert deployment.requests == []


async def test_a_token_does_not_go_to_an_insecure_site() -> None:
    client = ConvexHttpClient(
        "https://a-b-1.convex.cloud", site_url="http://example.com", auth="a.b.c"
    )
    async with client:
        with pytest.raises(ValueError, match="unencrypted"):
            async with client.http_action("GET", "/"):
                pass
