"""The functions that the tests of several live queries call."""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v

SCHEMA = define_schema(
    {
        "accounts": define_table({"name": v.string(), "balance": v.number()}).index(
            "by_name", ["name"]
        ),
        "items": define_table({"number": v.number(), "text": v.optional(v.string())}).index(
            "by_number", ["number"]
        ),
        "switches": define_table({"name": v.string()}),
    }
)


def make_functions() -> Functions:
    """Fresh ones for each test."""
    functions = Functions(schema=SCHEMA)

    async def account(ctx: Any, name: str) -> Any:
        named = ctx.db.query("accounts").with_index("by_name", lambda q: q.eq("name", name))
        return await named.unique()

    @functions.query("accounts:balance", args={"name": v.string()})
    async def balance(ctx: Any, name: str) -> Any:
        found = await account(ctx, name)
        if found is None:
            raise ConvexError({"code": "NO_ACCOUNT", "name": name})
        return found["balance"]

    @functions.mutation("accounts:open", args={"name": v.string(), "balance": v.number()})
    async def open_account(ctx: Any, name: str, balance: float) -> None:
        await ctx.db.insert("accounts", {"name": name, "balance": balance})

    @functions.mutation("accounts:close", args={"name": v.string()})
    async def close_account(ctx: Any, name: str) -> None:
        await ctx.db.delete((await account(ctx, name))["_id"])

    @functions.mutation(
        "accounts:move", args={"source": v.string(), "target": v.string(), "amount": v.number()}
    )
    async def move(ctx: Any, source: str, target: str, amount: float) -> None:
        for name, change in ((source, -amount), (target, amount)):
            found = await account(ctx, name)
            await ctx.db.patch(found["_id"], {"balance": found["balance"] + change})

    @functions.query("items:ranked", args={"paginationOpts": v.any()})
    async def ranked(ctx: Any, paginationOpts: Any) -> Any:
        if await ctx.db.query("switches").first() is not None:
            raise ConvexError({"code": "SWITCHED_OFF"})
        return await ctx.db.query("items").with_index("by_number").paginate(paginationOpts)

    @functions.query("items:crowded", args={"paginationOpts": v.any(), "limit": v.number()})
    async def crowded(ctx: Any, paginationOpts: Any, limit: float) -> Any:
        """As if a page of more than `limit` items were too much to read."""
        found = await ctx.db.query("items").with_index("by_number").paginate(paginationOpts)
        if len(found["page"]) > limit:
            found["page"] = found["page"][: int(limit)]
            found["pageStatus"] = "SplitRequired"
        return found

    @functions.query("items:moody", args={"paginationOpts": v.any()})
    async def moody(ctx: Any, paginationOpts: Any) -> Any:
        """The other way round after a switch: its cursors are of no use then."""
        is_off = await ctx.db.query("switches").first() is not None
        query = ctx.db.query("items").with_index("by_number").order("desc" if is_off else "asc")
        return await query.paginate(paginationOpts)

    @functions.query("items:broken", args={"paginationOpts": v.any()})
    async def broken(ctx: Any, paginationOpts: Any) -> Any:
        raise ConvexError({"isConvexSystemError": True, "paginationError": "InvalidCursor"})

    @functions.query("items:all")
    async def all_items(ctx: Any) -> Any:
        return await ctx.db.query("items").with_index("by_number").collect()

    @functions.mutation("items:put", args={"numbers": v.array(v.number())})
    async def put(ctx: Any, numbers: list[float]) -> None:
        for number in numbers:
            await ctx.db.insert("items", {"number": number})

    @functions.mutation("items:drop", args={"number": v.number()})
    async def drop(ctx: Any, number: float) -> None:
        numbered = ctx.db.query("items").with_index("by_number", lambda q: q.eq("number", number))
        for item in await numbered.collect():
            await ctx.db.delete(item["_id"])

    @functions.mutation("items:mark", args={"number": v.number(), "text": v.string()})
    async def mark(ctx: Any, number: float, text: str) -> None:
        numbered = ctx.db.query("items").with_index("by_number", lambda q: q.eq("number", number))
        await ctx.db.patch((await numbered.unique())["_id"], {"text": text})

    @functions.mutation("switches:off")
    async def switch_off(ctx: Any) -> None:
        await ctx.db.insert("switches", {"name": "off"})

    @functions.mutation("switches:on")
    async def switch_on(ctx: Any) -> None:
        await ctx.db.delete((await ctx.db.query("switches").first())["_id"])

    return functions
