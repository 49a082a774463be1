"""The guide: "Advanced features": scheduling, crons, HTTP actions, files; and the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient, ConvexHttpClient, FunctionError
from convex_async.local import Functions, LocalDeployment
from tests.guide.site import functions


async def test_database_operations(client: ConvexClient) -> None:
    id = await client.mutation("tasks:create", {"text": "a"})
    assert (await client.query("tasks:get", {"id": id}))["text"] == "a"
    await client.mutation("tasks:update", {"id": id, "isCompleted": True})
    found = await client.query("tasks:byCompleted", {"isCompleted": True})
    assert [task["_id"] for task in found] == [id]
    await client.mutation("tasks:replace", {"id": id, "text": "b"})
    task = await client.query("tasks:getFirst")
    assert (task["text"], task["isCompleted"]) == ("b", False)
    await client.mutation("tasks:delete", {"id": id})
    assert await client.query("tasks:list") == []
    with pytest.raises(FunctionError, match="isCompleted"):
        await client.mutation("tasks:create", {"text": "a", "isCompleted": "yes"})


async def test_a_scheduled_function(client: ConvexClient) -> None:
    async with client.subscribe("messages:list") as messages:
        message_id = await client.mutation(
            "messages:sendExpiringMessage", {"body": "This message will self-destruct"}
        )
        assert [message["_id"] for message in await messages.get()] == [message_id]
        assert await messages.until(lambda found: not found, timeout=5) == []


async def test_cron_jobs() -> None:
    functions = Functions()

    @functions.query("logs:list")
    async def list_logs(ctx: Any) -> Any:
        return await ctx.db.query("logs").collect()

    @functions.internal_mutation("maintenance:cleanup")
    async def cleanup(ctx: Any) -> None:
        await ctx.db.insert("logs", {"text": "cleaned"})

    functions.crons.interval("cleanup", "maintenance:cleanup", seconds=1)
    functions.crons.daily("report", "maintenance:cleanup", hour_utc=9, minute_utc=30)
    functions.crons.cron("weekly", "0 0 * * 0", "maintenance:cleanup")
    async with (
        LocalDeployment(functions) as deployment,
        ConvexClient(deployment.url) as client,
        client.subscribe("logs:list") as logs,
    ):
        assert len(await logs.until(lambda found: len(found) >= 2, timeout=10)) >= 2


@pytest.mark.parametrize("kind", [ConvexClient, ConvexHttpClient])
async def test_a_webhook(kind: type[ConvexClient] | type[ConvexHttpClient]) -> None:
    async with LocalDeployment(functions) as deployment:
        async with kind(deployment.url, site_url=deployment.site_url) as client:
            event = {"event": "payment.completed", "amount": 9999}
            async with client.http_action("POST", "/webhook/stripe", json=event) as response:
                assert response.status == 200
                assert await response.json() == {"received": True}
            assert event in [payment["payload"] for payment in await client.query("payments:list")]
            async with client.http_action("GET", "/nothing") as response:
                assert response.status == 404
            async with client.http_action("GET", "/whoami") as response:
                assert await response.json() is None
            client.set_auth(deployment.issue_token("ada"))
            async with client.http_action("GET", "/whoami") as response:
                assert await response.json() == "ada"
        # Without a site URL, its place on the deployment's own origin.
        async with (
            kind(deployment.url) as client,
            client.http_action("GET", "/whoami") as response,
        ):
            assert response.status == 200


@pytest.mark.parametrize("kind", [ConvexClient, ConvexHttpClient])
async def test_file_storage(
    kind: type[ConvexClient] | type[ConvexHttpClient], tmp_path: Path
) -> None:
    document, copy = tmp_path / "document.pdf", tmp_path / "copy.pdf"
    document.write_bytes(b"%PDF-1.7 " + bytes(100_000))
    async with (
        LocalDeployment(functions) as deployment,
        kind(deployment.url) as client,
    ):
        storage_id = await client.upload(document, url="files:generateUploadUrl")
        await client.mutation("files:save", {"storageId": storage_id, "filename": "document.pdf"})
        url = await client.query("files:getUrl", {"storageId": storage_id})
        assert await client.download(url, copy) == copy
        assert copy.read_bytes() == document.read_bytes()
        assert await client.download(url, start=1, end=4) == b"PDF"
