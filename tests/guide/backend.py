"""The backend that the guide's programs talk to: the functions they name, in Python."""

from __future__ import annotations

import asyncio
from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v

# Delays are the guide's 5 seconds, a hundred times shorter.
EXPIRY = 0.05

schema = define_schema(
    {
        "tasks": define_table(
            {
                "text": v.string(),
                "isCompleted": v.boolean(),
                "userId": v.optional(v.string()),
            }
        )
        .index("by_user", ["userId"])
        .index("by_completed", ["isCompleted"]),
        "users": define_table(
            {"name": v.string(), "email": v.string(), "tokenIdentifier": v.string()}
        ).index("by_token", ["tokenIdentifier"]),
    }
)

functions = Functions(schema)


# Tasks


@functions.query("tasks:list", args={})
async def list_tasks(ctx: Any) -> Any:
    return await ctx.db.query("tasks").order("desc").collect()


@functions.query("tasks:get", args={"id": v.id("tasks")})
async def get_task(ctx: Any, id: str) -> Any:
    return await ctx.db.get(id)


@functions.query("tasks:getFirst")
async def get_first_task(ctx: Any) -> Any:
    return await ctx.db.query("tasks").first()


@functions.query("tasks:byCompleted", args={"isCompleted": v.boolean()})
async def by_completed(ctx: Any, isCompleted: bool) -> Any:
    return await (
        ctx.db.query("tasks")
        .with_index("by_completed", lambda q: q.eq("isCompleted", isCompleted))
        .collect()
    )


@functions.mutation(
    "tasks:create", args={"text": v.string(), "isCompleted": v.optional(v.boolean())}
)
async def create_task(ctx: Any, text: str, isCompleted: bool = False) -> Any:
    if not text.strip():
        raise ConvexError({"code": "VALIDATION_ERROR", "message": "a task needs a text"})
    ctx.log(f"creating {text}")
    document: dict[str, Any] = {"text": text, "isCompleted": isCompleted}
    identity = await ctx.auth.get_user_identity()
    if identity is not None:
        document["userId"] = identity["subject"]
    return await ctx.db.insert("tasks", document)


@functions.mutation(
    "tasks:update", args={"id": v.id("tasks"), "isCompleted": v.optional(v.boolean())}
)
async def update_task(ctx: Any, id: str, **changes: Any) -> None:
    await ctx.db.patch(id, changes)


@functions.mutation("tasks:complete", args={"id": v.id("tasks")})
async def complete_task(ctx: Any, id: str) -> None:
    await ctx.db.patch(id, {"isCompleted": True})


@functions.mutation("tasks:replace", args={"id": v.id("tasks"), "text": v.string()})
async def replace_task(ctx: Any, id: str, text: str) -> None:
    await ctx.db.replace(id, {"text": text, "isCompleted": False})


@functions.mutation("tasks:delete", args={"id": v.id("tasks")})
async def delete_task(ctx: Any, id: str) -> None:
    await ctx.db.delete(id)


@functions.query("tasks:myTasks", args={})
async def my_tasks(ctx: Any) -> Any:
    identity = await ctx.auth.get_user_identity()
    if identity is None:
        raise ConvexError("Unauthorized")
    subject = identity["subject"]
    return await (
        ctx.db.query("tasks").with_index("by_user", lambda q: q.eq("userId", subject)).collect()
    )


# Users


@functions.query("users:getCurrentUser", args={})
async def current_user(ctx: Any) -> Any:
    identity = await ctx.auth.get_user_identity()
    return None if identity is None else {"subject": identity["subject"]}


@functions.query("users:getById", args={"userId": v.string()})
async def get_user(ctx: Any, userId: str) -> Any:
    return {"userId": userId}


@functions.mutation("users:register")
async def register(ctx: Any, name: str, email: str) -> Any:
    identity = await ctx.auth.get_user_identity()
    document = {"name": name, "email": email, "tokenIdentifier": identity["tokenIdentifier"]}
    return await ctx.db.insert("users", document)


@functions.mutation("users:deleteAccount", args={})
async def delete_account(ctx: Any) -> None:
    identity = await ctx.auth.get_user_identity()
    if identity is None:
        raise ConvexError("Unauthorized")
    token = identity["tokenIdentifier"]
    user = await (
        ctx.db.query("users").with_index("by_token", lambda q: q.eq("tokenIdentifier", token))
    ).unique()
    if user is None:
        raise ConvexError("User not found")
    await ctx.db.delete(user["_id"])


@functions.query("presence:online")
async def online(ctx: Any) -> Any:
    return await ctx.db.query("presence").collect()


@functions.mutation("presence:enter")
async def enter(ctx: Any, name: str) -> Any:
    return await ctx.db.insert("presence", {"name": name})


@functions.query("search:find")
async def find(ctx: Any, filters: Any, pagination: Any) -> Any:
    return {"filters": filters, "pagination": pagination}


# Messages


@functions.query("messages:list")
async def list_messages(ctx: Any, paginationOpts: Any = None) -> Any:
    messages = ctx.db.query("messages")
    if paginationOpts is None:
        return await messages.collect()
    return await messages.paginate(paginationOpts)


@functions.query("messages:byChannel")
async def by_channel(ctx: Any, channel: str) -> Any:
    return await (
        ctx.db.query("messages").filter(lambda message: message.get("channel") == channel).collect()
    )


@functions.mutation("messages:send")
async def send(ctx: Any, body: str, channel: str = "general") -> Any:
    return await ctx.db.insert("messages", {"body": body, "channel": channel})


@functions.mutation("messages:sendExpiringMessage", args={"body": v.string()})
async def send_expiring(ctx: Any, body: str) -> Any:
    id = await ctx.db.insert("messages", {"body": body})
    await ctx.scheduler.run_after(EXPIRY, "messages:expire", {"id": id})
    return id


@functions.internal_mutation("messages:expire", args={"id": v.id("messages")})
async def expire(ctx: Any, id: str) -> None:
    await ctx.db.delete(id)


# Other functions that the guide calls


@functions.action("ai:generateResponse", args={"prompt": v.string()})
async def generate(ctx: Any, prompt: str) -> Any:
    await ctx.run_mutation("logs:write", {"text": prompt})
    return f"About {prompt}: it is complicated."


@functions.action("payments:processStripe")
async def process_stripe(ctx: Any, amount: float, currency: str) -> Any:
    return {"charged": amount, "currency": currency}


@functions.query("logs:getAll")
async def all_logs(ctx: Any) -> Any:
    return await ctx.db.query("logs").collect()


@functions.query("logs:getRecent")
async def recent_logs(ctx: Any, limit: float) -> Any:
    return await ctx.db.query("logs").order("desc").take(int(limit))


@functions.mutation("logs:write")
async def write_log(ctx: Any, text: str) -> Any:
    return await ctx.db.insert("logs", {"text": text})


@functions.internal_mutation("internal:adminOperation")
async def admin_operation(ctx: Any, note: str) -> Any:
    await ctx.db.insert("logs", {"text": note})
    return "done"


@functions.mutation("analytics:recordCount", args={"count": v.int64()})
async def record_count(ctx: Any, count: Any) -> Any:
    return await ctx.db.insert("analytics", {"count": count})


@functions.query("analytics:getCount")
async def get_count(ctx: Any) -> Any:
    return await ctx.db.query("analytics").order("desc").first()


@functions.mutation("values:keep")
async def keep_value(ctx: Any, value: Any) -> Any:
    return await ctx.db.insert("values", {"value": value})


@functions.query("values:latest")
async def latest_value(ctx: Any) -> Any:
    return (await ctx.db.query("values").order("desc").first())["value"]


@functions.mutation("orders:create")
async def create_order(ctx: Any, productId: str, quantity: float = 1) -> Any:
    if productId == "nonexistent":
        raise ConvexError({"code": "NOT_FOUND", "message": "no such product"})
    if productId == "text":
        raise ConvexError("plain text")
    if productId == "bug":
        raise KeyError("a bug in the function")
    if quantity > 10:
        raise ConvexError({"code": "INSUFFICIENT_STOCK", "available": 10})
    return await ctx.db.insert("orders", {"productId": productId, "quantity": quantity})


# Background jobs


@functions.mutation("jobs:submit")
async def submit_job(ctx: Any, type: str, payload: Any) -> Any:
    id = await ctx.db.insert("jobs", {"type": type, "payload": payload, "state": "queued"})
    await ctx.scheduler.run_after(0, "jobs:work", {"id": id})
    return id


@functions.internal_action("jobs:work")
async def work(ctx: Any, id: str) -> None:
    await ctx.run_mutation("jobs:advance", {"id": id, "state": "running"})
    await asyncio.sleep(0.01)
    await ctx.run_mutation("jobs:advance", {"id": id, "state": "completed"})


@functions.internal_mutation("jobs:advance")
async def advance_job(ctx: Any, id: str, state: str) -> None:
    await ctx.db.patch(id, {"state": state})


@functions.query("jobs:getStatus")
async def job_status(ctx: Any, id: str) -> Any:
    return await ctx.db.get(id)
