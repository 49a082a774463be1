"""Functions with each kind of validator, and each trap that a specification can hold."""

from __future__ import annotations

from typing import Any

from convex_async.local import Functions, define_schema, define_table, v
from convex_async.values import ConvexInt64

STATUS = v.union(v.literal("open"), v.literal("done"))
SHAPE = v.union(
    v.object({"kind": v.literal("circle"), "radius": v.number()}),
    v.object({"kind": v.literal("label"), "text": v.string(), "size": v.optional(v.int64())}),
)
TASK = {
    "text": v.string(),
    "rank": v.int64(),
    "status": STATUS,
    "from": v.optional(v.string()),
    "shapes": v.array(SHAPE),
    "scores": v.record(v.string(), v.number()),
    "authorId": v.optional(v.id("users")),
}
DOCUMENT = v.object({"_id": v.id("tasks"), "_creationTime": v.number(), **TASK})
OPTIONS = v.object(
    {
        "numItems": v.number(),
        "cursor": v.union(v.string(), v.null()),
        "endCursor": v.optional(v.union(v.string(), v.null())),
        "id": v.optional(v.number()),
    }
)
SCHEMA = define_schema({"tasks": define_table(TASK), "users": define_table({"name": v.string()})})

functions = Functions(SCHEMA)


@functions.mutation("users:create", args={"name": v.string()}, returns=v.id("users"))
async def create_user(ctx: Any, name: str) -> Any:
    return await ctx.db.insert("users", {"name": name})


@functions.mutation(
    "tasks:create",
    args={
        "text": v.string(),
        "rank": v.int64(),
        "status": v.optional(STATUS),
        "shapes": v.optional(v.array(SHAPE)),
        "authorId": v.optional(v.id("users")),
    },
    returns=v.id("tasks"),
)
async def create(ctx: Any, text: str, rank: int, **rest: Any) -> Any:
    fields = {"status": "open", "shapes": [], "scores": {"x": 1.5}, **rest}
    return await ctx.db.insert("tasks", {"text": text, "rank": rank, **fields})


@functions.query(
    "tasks:list",
    args={"status": v.optional(STATUS), "list": v.optional(v.array(v.int64()))},
    returns=v.array(DOCUMENT),
)
async def list_tasks(ctx: Any, status: Any = None, list: Any = None) -> Any:
    found = await ctx.db.query("tasks").collect()
    return [
        task
        for task in found
        if status in (None, task["status"]) and (list is None or task["rank"] in list)
    ]


@functions.query("tasks:get", args={"id": v.id("tasks")}, returns=v.union(DOCUMENT, v.null()))
async def get(ctx: Any, id: str) -> Any:
    return await ctx.db.get(id)


@functions.query(
    "tasks:page",
    args={"paginationOpts": OPTIONS, "status": v.optional(STATUS)},
    returns=v.object(
        {"page": v.array(DOCUMENT), "isDone": v.boolean(), "continueCursor": v.string()}
    ),
)
async def page(ctx: Any, paginationOpts: Any, status: Any = None) -> Any:
    found = await ctx.db.query("tasks").paginate(paginationOpts)
    return {name: found[name] for name in ("page", "isDone", "continueCursor")}


@functions.mutation("tasks:clear", args={}, returns=v.null())
async def clear(ctx: Any) -> None:
    for task in await ctx.db.query("tasks").collect():
        await ctx.db.delete(task["_id"])


@functions.action(
    "admin/reports:make",
    args={"class": v.string(), "data": v.bytes(), "version": v.literal(ConvexInt64(2))},
    returns=v.object(
        {"data": v.bytes(), "half": v.union(v.literal(1), v.literal(0.5)), "_x": v.int64()}
    ),
)
async def make_report(ctx: Any, **args: Any) -> Any:
    assert args["version"] == ConvexInt64(2)
    return {"data": args["data"], "half": 1.0, "_x": ConvexInt64(7)}


@functions.query("loose")
async def loose(ctx: Any, **args: Any) -> Any:
    return args


@functions.query(
    "ambiguous:get",
    args={},
    returns=v.union(v.object({"a": v.string()}), v.object({"a": v.number()})),
)
async def ambiguous(ctx: Any) -> Any:
    return {"a": 1}


@functions.internal_mutation("tasks:secret", args={"n": v.number()}, returns=v.number())
async def secret(ctx: Any, n: float) -> float:
    return n
