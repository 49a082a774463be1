"""The little chat that the demo runs on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v

schema = define_schema({"messages": define_table(v.any()).index("by_author", ["authorName"])})
functions = Functions(schema)


@functions.query("chat:list")
async def list_messages(ctx: Any) -> Any:
    """All messages, the oldest first."""
    return await ctx.db.query("messages").collect()


@functions.query("chat:by_author", args={"author": v.string(), "limit": v.number()})
async def by_author(ctx: Any, author: str, limit: float) -> Any:
    """The latest messages of one author."""
    messages = ctx.db.query("messages").with_index(
        "by_author", lambda q: q.eq("authorName", author)
    )
    return await messages.order("desc").take(int(limit))


@functions.mutation("chat:send", args={"author": v.string(), "body": v.string()})
async def send(ctx: Any, author: str, body: str) -> Any:
    """Add a message; an empty one is refused."""
    if not body:
        raise ConvexError({"code": "EMPTY_MESSAGE", "author": author})
    return await ctx.db.insert("messages", {"authorName": author, "body": body})


@functions.internal_mutation("chat:fill")
async def fill(ctx: Any, messages: list[dict[str, Any]]) -> None:
    """Add the messages that the demo begins with."""
    for message in messages:
        await ctx.db.insert("messages", message)


@functions.action("chat:most_active")
async def most_active(ctx: Any) -> Any:
    """Who wrote most, and how much."""
    messages = await ctx.run_query("chat:list")
    author, count = Counter(message["authorName"] for message in messages).most_common(1)[0]
    return {"author": author, "count": count}
