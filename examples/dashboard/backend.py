"""A shop, for a local deployment: orders that come in, and how much there is in stock."""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, v

functions = Functions()


@functions.query("orders:recent", args={"count": v.number()})
async def recent(ctx: Any, count: float) -> Any:
    return await ctx.db.query("orders").order("desc").take(count)


@functions.query("orders:sold", args={})
async def sold(ctx: Any) -> Any:
    return sum(order["amount"] for order in await ctx.db.query("orders").collect())


@functions.query("stock:left", args={})
async def left(ctx: Any) -> Any:
    stock = await ctx.db.query("stock").first()
    return 0.0 if stock is None else stock["left"]


@functions.mutation("stock:add", args={"amount": v.number()})
async def add(ctx: Any, amount: float) -> None:
    stock = await ctx.db.query("stock").first()
    if stock is None:
        await ctx.db.insert("stock", {"left": amount})
    else:
        await ctx.db.patch(stock["_id"], {"left": stock["left"] + amount})


@functions.mutation("orders:place", args={"customer": v.string(), "amount": v.number()})
async def place(ctx: Any, customer: str, amount: float) -> None:
    stock = await ctx.db.query("stock").first()
    if stock is None or stock["left"] < amount:
        raise ConvexError({"code": "OUT_OF_STOCK"})
    await ctx.db.patch(stock["_id"], {"left": stock["left"] - amount})
    await ctx.db.insert("orders", {"customer": customer, "amount": amount})
