"""The functions that the web service calls, for a local deployment."""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, v

functions = Functions()


@functions.query("tasks:list", args={})
async def list_tasks(ctx: Any) -> Any:
    return await ctx.db.query("tasks").collect()


@functions.mutation("tasks:create", args={"text": v.string()})
async def create_task(ctx: Any, text: str) -> Any:
    if not text:
        raise ConvexError({"code": "EMPTY", "message": "a task needs a text"})
    user = await ctx.auth.get_user_identity()
    owner = "anonymous" if user is None else user["subject"]
    return await ctx.db.insert("tasks", {"text": text, "owner": owner})
