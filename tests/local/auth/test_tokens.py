"""Keys of a deployment outlive its process with its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from convex_async import AuthError, ConvexClient
from convex_async.local import Functions, LocalDeployment


def functions() -> Functions:
    made = Functions()

    @made.query("users:me")
    async def me(ctx: Any) -> Any:
        return await ctx.auth.get_user_identity()

    @made.internal_query("users:secret")
    async def secret(ctx: Any) -> str:
        return "seen"

    @made.mutation("users:upload_url")
    async def upload_url(ctx: Any) -> str:
        return str(await ctx.storage.generate_upload_url())

    return made


async def test_users_stay_who_they_are_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    async with LocalDeployment(functions(), path) as first:
        token, admin_key = first.issue_token("ada"), first.admin_key
        async with ConvexClient(first.url, auth=token) as client:
            before = await client.query("users:me")
        upload_url = await first.run("users:upload_url")
    async with LocalDeployment(functions(), path) as second:
        assert second.admin_key == admin_key
        for still in (token, second.issue_token("ada")):
            async with ConvexClient(second.url, auth=still) as client:
                me = await client.query("users:me")
                assert me["tokenIdentifier"] == before["tokenIdentifier"]
        async with ConvexClient(second.url, admin_key=admin_key) as client:
            assert await client.query("users:secret") == "seen"
        # Only its origin is of the process; its token is good for its hour.
        query = parse_qs(urlsplit(upload_url).query)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{second.url}/api/storage/upload", params=query, data=b"x") as response,
        ):
            assert response.status == 200


async def test_keys_that_were_handed_out_before_the_first_start_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    deployment = LocalDeployment(functions(), path)
    early = deployment.admin_key
    async with deployment:
        assert deployment.admin_key == early
    async with LocalDeployment(functions(), path) as again:
        assert again.admin_key == early


async def test_in_memory_every_deployment_has_its_own() -> None:
    async with LocalDeployment(functions()) as first, LocalDeployment(functions()) as second:
        assert first.admin_key != second.admin_key
        async with ConvexClient(second.url, auth=first.issue_token("ada")) as client:
            with pytest.raises(AuthError):
                await client.query("users:me")
