"""The guide: "Client setup and configuration", "Environment variables and deployment"."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from convex_async import ConvexClient, ConvexHttpClient
from convex_async.local import LocalDeployment


async def test_the_url_from_dotenv_and_debug_logging(
    deployment: LocalDeployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="convex_async.functions")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONVEX_URL", raising=False)
    (tmp_path / ".env.local").write_text(
        f"CONVEX_URL={deployment.url}\nCONVEX_SITE_URL={deployment.site_url}\n"
    )
    async with ConvexClient.from_env() as client:
        client.set_debug(True)  # see the functions' logs
        await client.mutation("tasks:create", {"text": "logged"})
        assert client.url == deployment.url
        assert client.site_url == deployment.site_url
    assert "[tasks:create] [LOG] 'creating logged'" in caplog.text


async def test_the_url_from_the_environment(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEX_URL", deployment.url)
    async with ConvexClient() as client:
        assert await client.query("tasks:list") == []


async def test_the_http_client_where_websockets_are_not_available(
    deployment: LocalDeployment,
) -> None:
    async with ConvexHttpClient(deployment.url) as client:
        await client.mutation("tasks:create", {"text": "over HTTP"})
        assert [task["text"] for task in await client.query("tasks:list")] == ["over HTTP"]
        assert not hasattr(client, "subscribe")


def test_finding_the_deployment_url() -> None:
    assert ConvexClient("https://happy-animal-123.convex.cloud/").url == (
        "https://happy-animal-123.convex.cloud"
    )
    assert ConvexClient("https://happy-animal-123.convex.cloud").site_url == (
        "https://happy-animal-123.convex.site"
    )
    for mistake, hint in [
        ("https://dashboard.convex.dev/d/happy-animal-123", "dashboard"),
        ("https://happy-animal-123.convex.site", r"happy-animal-123\.convex\.cloud"),
        ("happy-animal-123.convex.cloud", "scheme"),
    ]:
        with pytest.raises(ValueError, match=hint):
            ConvexClient(mistake)


async def test_running_a_function_directly(deployment: LocalDeployment) -> None:
    """What `npx convex run` does."""
    await deployment.run("tasks:create", {"text": "New task"})
    assert len(await deployment.run("tasks:list")) == 1
