"""What listens on all addresses, or on IPv6, has URLs that lead there."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest

from convex_async import ConvexClient
from convex_async.local import Functions, LocalDeployment, Request, Response


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("files:url")
    async def url(ctx: Any) -> str:
        address: str = await ctx.storage.generate_upload_url()
        return address

    @functions.query("users:me")
    async def me(ctx: Any) -> Any:
        return (await ctx.auth.get_user_identity())["subject"]

    @functions.http_action("GET", "/url")
    async def asked(ctx: Any, request: Request) -> Response:
        return Response(request.url)

    return functions


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = [("0.0.0.0", "127.0.0.1")] + ([("::1", "[::1]")] if has_ipv6() else [])


@pytest.mark.parametrize(("host", "shown"), HOSTS)
async def test_all_its_urls_work(host: str, shown: str) -> None:
    async with LocalDeployment(backend(), host=host) as deployment:
        assert deployment.url.startswith(f"http://{shown}:")
        token = deployment.issue_token("ada")
        async with (
            ConvexClient(deployment.url, auth=token) as client,
            aiohttp.ClientSession() as session,
        ):
            assert await client.query("users:me") == "ada"
            upload = await client.mutation("files:url")
            assert upload.startswith(deployment.url)
            async with session.post(upload, data=b"x") as response:
                assert response.status == 200
            async with session.get(f"{deployment.site_url}/url") as response:
                assert await response.text() == f"{deployment.site_url}/url"
