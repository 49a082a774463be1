"""The functions that the official clients call."""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v


def make_functions() -> Functions:
    """Fresh ones for each test."""
    schema = define_schema({"items": define_table(v.any()).index("by_number", ["number"])})
    functions = Functions(schema)

    @functions.query("log:read")
    async def read(ctx: Any) -> Any:
        log = await ctx.db.query("logs").first()
        return [] if log is None else log["lines"]

    # All lines are in one document, so that the order of the lines is the order of the commits.
    @functions.mutation("log:append", args={"line": v.string()})
    async def append(ctx: Any, line: str) -> Any:
        if not line:
            raise ConvexError({"code": "EMPTY", "at": 1.5})
        ctx.log(f"appending {line}")
        log = await ctx.db.query("logs").first()
        lines = [*([] if log is None else log["lines"]), line]
        if log is None:
            await ctx.db.insert("logs", {"lines": lines})
        else:
            await ctx.db.patch(log["_id"], {"lines": lines})
        return float(len(lines))

    @functions.query("log:strict")
    async def strict(ctx: Any) -> Any:
        log = await ctx.db.query("logs").first()
        if log is not None and log["lines"][-1] == "bad":
            raise ConvexError({"code": "BAD"})
        return 0 if log is None else float(len(log["lines"]))

    @functions.action("values:echo")
    async def echo(ctx: Any, value: Any) -> Any:
        return value

    @functions.action("values:fail")
    async def fail(ctx: Any, data: Any) -> None:
        raise ConvexError(data)

    @functions.query("values:broken")
    async def broken(ctx: Any) -> None:
        raise ZeroDivisionError("by accident")

    # npm's client answers a query that it has just asked from memory; a number makes it another.
    @functions.query("users:me")
    async def me(ctx: Any, attempt: float = 0) -> Any:
        identity = await ctx.auth.get_user_identity()
        return None if identity is None else identity["subject"]

    @functions.internal_query("users:secret")
    async def secret(ctx: Any, attempt: float = 0) -> str:
        return "secret"

    @functions.mutation("items:fill", args={"count": v.number(), "size": v.number()})
    async def fill(ctx: Any, count: float, size: float) -> None:
        for number in range(int(count)):
            await ctx.db.insert("items", {"number": float(number), "text": "x" * int(size)})

    @functions.query("items:list")
    async def list_items(ctx: Any) -> Any:
        return await ctx.db.query("items").collect()

    @functions.mutation("items:put", args={"number": v.number()})
    async def put(ctx: Any, number: float) -> None:
        await ctx.db.insert("items", {"number": number})

    @functions.mutation("items:drop", args={"number": v.number()})
    async def drop(ctx: Any, number: float) -> None:
        numbered = ctx.db.query("items").with_index("by_number", lambda q: q.eq("number", number))
        await ctx.db.delete((await numbered.unique())["_id"])

    @functions.query("items:beside", args={"paginationOpts": v.any()})
    @functions.query("items:ranked", args={"paginationOpts": v.any()})
    async def ranked(ctx: Any, paginationOpts: Any) -> Any:
        return await ctx.db.query("items").with_index("by_number").paginate(paginationOpts)

    @functions.query("items:page", args={"paginationOpts": v.any()})
    async def page(ctx: Any, paginationOpts: Any) -> Any:
        return await ctx.db.query("items").paginate(paginationOpts)

    return functions
