"""The HTTP API, and what both clients have in common with it: the name and the URL."""

from __future__ import annotations

import pytest

from convex_async import ConvexClient, ConvexError, FunctionError, TransportError
from convex_async.deployment.url import DeploymentUrl
from convex_async.http import ConvexHttpClient
from convex_async.local.server.client_version import client_version
from convex_async.version import CLIENT_HEADER, __version__
from tests.http.conftest import ScriptedDeployment, failure


def test_trap_36_the_version_is_strictly_semantic() -> None:
    """`1.0` and `1.0a1` are refused with 400: three numbers, and a dash before a pre-release."""
    major, minor, patch = __version__.partition("-")[0].split(".")
    told = client_version(CLIENT_HEADER, None).version
    assert told is not None
    assert told[:3] == (int(major), int(minor), int(patch))
    for bad in ("1.0", "1.0a1"):
        assert client_version(f"convex-async-{bad}", None).version is None


async def test_trap_36_the_header_is_sent(scripted: ScriptedDeployment) -> None:
    """Every request names the client that made it, the WebSocket's upgrade too."""
    async with ConvexHttpClient(scripted.url) as client:
        await client.query("a:b")
    async with ConvexClient(scripted.url) as live:
        with pytest.raises(TransportError):  # it is not one to speak to by WebSocket
            await live.connect()
    assert [path for path, _, _ in scripted.requests] == ["/api/query", "/api/sync"]
    assert {headers["Convex-Client"] for _, headers, _ in scripted.requests} == {CLIENT_HEADER}


@pytest.mark.parametrize("ending", ["", "/", "//", "/api", "/api/"])
def test_trap_41_a_deployment_url_is_normalised(ending: str) -> None:
    """A trailing slash would make `//api/sync`, which is another path."""
    url = DeploymentUrl.parse(f"https://happy-animal-123.convex.cloud{ending}")
    assert url.url == "https://happy-animal-123.convex.cloud"
    assert url.sync_url == "wss://happy-animal-123.convex.cloud/api/sync"


def test_trap_41_the_site_url_is_refused_with_the_right_one() -> None:
    """`.convex.site` serves HTTP actions and has no API."""
    with pytest.raises(ValueError, match=r"https://happy-animal-123\.convex\.cloud"):
        DeploymentUrl.parse("https://happy-animal-123.convex.site")


@pytest.mark.parametrize("status", [200, 560])
async def test_trap_43_success_is_what_the_body_says(
    scripted: ScriptedDeployment, status: int
) -> None:
    """A function that failed is answered with 200, or with 560: `status` tells."""
    scripted.script(
        failure("Server Error", status), failure("Server Error", status, errorData={"code": "FULL"})
    )
    async with ConvexHttpClient(scripted.url) as client:
        with pytest.raises(FunctionError):
            await client.mutation("a:b")
        with pytest.raises(ConvexError) as caught:
            await client.mutation("a:b")
    assert caught.value.data == {"code": "FULL"}
