"""A chat whose messages are read page by page, for a local deployment."""

from __future__ import annotations

from typing import Any

from convex_async.local import Functions, define_schema, define_table, v

functions = Functions(
    schema=define_schema(
        {
            "messages": define_table({"channel": v.string(), "body": v.string()}).index(
                "by_channel", ["channel"]
            )
        }
    )
)

PAGINATION_OPTS = v.object(
    {
        "numItems": v.number(),
        "cursor": v.union(v.string(), v.null()),
        "endCursor": v.optional(v.union(v.string(), v.null())),
        "id": v.optional(v.number()),
    }
)


@functions.query("messages:newest", args={"channel": v.string(), "paginationOpts": PAGINATION_OPTS})
async def newest(ctx: Any, channel: str, paginationOpts: Any) -> Any:
    messages = ctx.db.query("messages").with_index("by_channel", lambda q: q.eq("channel", channel))
    return await messages.order("desc").paginate(paginationOpts)


@functions.mutation("messages:send", args={"channel": v.string(), "body": v.string()})
async def send(ctx: Any, channel: str, body: str) -> Any:
    return await ctx.db.insert("messages", {"channel": channel, "body": body})
