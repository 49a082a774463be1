"""A list of tasks: the functions of the app, with the validators that their types come from."""

from __future__ import annotations

from typing import Any

from convex_async.local import Functions, define_schema, define_table, v

STATUS = v.union(v.literal("open"), v.literal("done"))
TASK = {"text": v.string(), "status": STATUS, "dueAt": v.optional(v.number())}

functions = Functions(schema=define_schema({"tasks": define_table(TASK)}))


@functions.mutation(
    "tasks:create",
    args={"text": v.string(), "dueAt": v.optional(v.number())},
    returns=v.id("tasks"),
)
async def create(ctx: Any, **fields: Any) -> Any:
    return await ctx.db.insert("tasks", {"status": "open", **fields})


@functions.mutation("tasks:finish", args={"id": v.id("tasks")}, returns=v.null())
async def finish(ctx: Any, id: Any) -> None:
    await ctx.db.patch(id, {"status": "done"})


@functions.query(
    "tasks:list",
    args={"status": v.optional(STATUS)},
    returns=v.array(
        v.object({"_id": v.id("tasks"), "_creationTime": v.number(), **TASK}),
    ),
)
async def list_tasks(ctx: Any, status: str | None = None) -> Any:
    tasks = await ctx.db.query("tasks").collect()
    return [task for task in tasks if status in (None, task["status"])]
