"""The rest of the guide's backend: files, and the HTTP actions on its site."""

from __future__ import annotations

from typing import Any

from convex_async.local import Response
from tests.guide.backend import functions

__all__ = ["functions"]


@functions.internal_mutation("payments:process")
async def process(ctx: Any, payload: Any) -> None:
    await ctx.db.insert("payments", {"payload": payload})


@functions.query("payments:list")
async def list_payments(ctx: Any) -> Any:
    return await ctx.db.query("payments").collect()


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
