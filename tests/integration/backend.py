"""The functions that the integration tests call."""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, v


def make_functions() -> Functions:
    """Fresh ones for each test."""
    functions = Functions()

    @functions.query("notes:list")
    async def list_notes(ctx: Any) -> Any:
        return await ctx.db.query("notes").collect()

    @functions.query("notes:count", args={"tag": v.any()})
    async def count(ctx: Any, tag: Any) -> Any:
        return len([n for n in await ctx.db.query("notes").collect() if n["text"] == tag])

    @functions.query("notes:strict")
    async def strict(ctx: Any) -> Any:
        notes = await ctx.db.query("notes").collect()
        if any(note["text"] == "bad" for note in notes):
            raise ConvexError({"code": "BAD_NOTE"})
        return len(notes)

    @functions.mutation("notes:add", args={"text": v.string()})
    async def add(ctx: Any, text: str) -> Any:
        if not text:
            raise ConvexError({"code": "EMPTY"})
        ctx.log(f"adding {text}")
        return await ctx.db.insert("notes", {"text": text})

    @functions.mutation("notes:clear")
    async def clear(ctx: Any) -> None:
        for note in await ctx.db.query("notes").collect():
            await ctx.db.delete(note["_id"])

    @functions.mutation("notes:touch")
    async def touch(ctx: Any) -> Any:
        return None

    @functions.action("notes:echo")
    async def echo(ctx: Any, value: Any) -> Any:
        return value

    @functions.query("users:me")
    async def me(ctx: Any) -> Any:
        identity = await ctx.auth.get_user_identity()
        return None if identity is None else identity["subject"]

    return functions
