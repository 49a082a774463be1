"""The guide: "Advanced features": scheduling, crons, HTTP actions, files; and the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient, ConvexHttpClient, FunctionError
from convex_async.local import Functions, LocalDeployment, Response


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


def advanced_functions() -> Functions:
    functions = Functions()

    @functions.query("logs:list")
    async def list_logs(ctx: Any) -> Any:
        return await ctx.db.query("logs").collect()

    @functions.internal_mutation("payments:process")
    async def process(ctx: Any, payload: Any) -> None:
        await ctx.db.insert("logs", {"payload": payload})

    @functions.internal_mutation("maintenance:cleanup")
    async def cleanup(ctx: Any) -> None:
        await ctx.db.insert("logs", {"payload": "cleanup"})

    functions.crons.interval("cleanup", "maintenance:cleanup", seconds=0.1)
    functions.crons.daily("report", "maintenance:cleanup", hour_utc=9, minute_utc=30)
    functions.crons.cron("weekly", "0 0 * * 0", "maintenance:cleanup")

    @functions.http_action("POST", "/webhook/stripe")
    async def stripe(ctx: Any, request: Any) -> Response:
        payload = await request.json()
        await ctx.run_mutation("payments:process", {"payload": payload})
        return Response(json={"received": True})

    @functions.http_action("GET", "/whoami")
    async def whoami(ctx: Any, request: Any) -> Response:
        identity = await ctx.auth.get_user_identity()
        return Response(json=None if identity is None else identity["subject"])

    @functions.mutation("files:generateUploadUrl")
    async def generate_upload_url(ctx: Any) -> Any:
        return await ctx.storage.generate_upload_url()

    @functions.mutation("files:save")
    async def save(ctx: Any, storageId: str, filename: str) -> Any:
        return await ctx.db.insert("files", {"storageId": storageId, "filename": filename})

    @functions.query("files:getUrl")
    async def get_url(ctx: Any, storageId: str) -> Any:
        return await ctx.storage.get_url(storageId)

    return functions


async def test_a_cron_job() -> None:
    async with (
        LocalDeployment(advanced_functions()) as deployment,
        ConvexClient(deployment.url) as client,
        client.subscribe("logs:list") as logs,
    ):
        assert len(await logs.until(lambda found: len(found) >= 2, timeout=5)) >= 2


@pytest.mark.parametrize("kind", [ConvexClient, ConvexHttpClient])
async def test_a_webhook(kind: type[ConvexClient] | type[ConvexHttpClient]) -> None:
    async with LocalDeployment(advanced_functions()) as deployment:
        async with kind(deployment.url, site_url=deployment.site_url) as client:
            event = {"event": "payment.completed", "amount": 9999}
            async with client.http_action("POST", "/webhook/stripe", json=event) as response:
                assert response.status == 200
                assert await response.json() == {"received": True}
            assert event in [log["payload"] for log in await client.query("logs:list")]
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
        LocalDeployment(advanced_functions()) as deployment,
        kind(deployment.url) as client,
    ):
        storage_id = await client.upload(document, url="files:generateUploadUrl")
        await client.mutation("files:save", {"storageId": storage_id, "filename": "document.pdf"})
        url = await client.query("files:getUrl", {"storageId": storage_id})
        assert await client.download(url, copy) == copy
        assert copy.read_bytes() == document.read_bytes()
        assert await client.download(url, start=1, end=4) == b"PDF"
