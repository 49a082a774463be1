"""A queue of jobs, and the functions that workers call: the Python twin of `convex/jobs.ts`.

A job is "waiting", then "running" by one worker, then "done" or "failed". A worker that goes silent
loses its claim: the job waits again, and fails for good at the last of its attempts.
"""

from __future__ import annotations

from typing import Any

from convex_async import ConvexError
from convex_async.local import Functions, define_schema, define_table, v

# Seconds without a heartbeat after which a claim lapses; a few times the worker's interval.
LEASE = 30.0
MAX_ATTEMPTS = 3

functions = Functions(
    schema=define_schema(
        {
            "jobs": define_table(
                {
                    "payload": v.any(),
                    "state": v.union(
                        v.literal("waiting"),
                        v.literal("running"),
                        v.literal("done"),
                        v.literal("failed"),
                    ),
                    "attempts": v.number(),
                    "worker": v.optional(v.string()),
                    "beatAt": v.optional(v.number()),
                    "result": v.optional(v.any()),
                    "error": v.optional(v.string()),
                }
            ).index("by_state", ["state"])
        }
    )
)


def waiting(ctx: Any) -> Any:
    return ctx.db.query("jobs").with_index("by_state", lambda q: q.eq("state", "waiting"))


async def claimed(ctx: Any, id: str, worker: str) -> Any:
    """The job, if the worker has the claim of it."""
    job = await ctx.db.get(id)
    return job if job and (job["state"], job.get("worker")) == ("running", worker) else None


@functions.mutation("jobs:submit", args={"payload": v.any()})
async def submit(ctx: Any, payload: Any) -> Any:
    return await ctx.db.insert("jobs", {"payload": payload, "state": "waiting", "attempts": 0})


@functions.query("jobs:get", args={"id": v.id("jobs")})
async def get(ctx: Any, id: str) -> Any:
    return await ctx.db.get(id)


@functions.query("jobs:ready", args={})
async def ready(ctx: Any) -> Any:
    # More than a few need not be told apart: workers ask again after each claim.
    return len(await waiting(ctx).take(100))


@functions.mutation("jobs:claim", args={"worker": v.string()})
async def claim(ctx: Any, worker: str) -> Any:
    job = await waiting(ctx).first()
    if job is None:
        return None
    attempts = job["attempts"] + 1
    change = {"state": "running", "worker": worker, "attempts": attempts, "beatAt": ctx.now}
    await ctx.db.patch(job["_id"], change)
    await ctx.scheduler.run_after(LEASE, "jobs:expire", {"id": job["_id"], "attempts": attempts})
    return await ctx.db.get(job["_id"])


@functions.mutation("jobs:heartbeat", args={"id": v.id("jobs"), "worker": v.string()})
async def heartbeat(ctx: Any, id: str, worker: str) -> Any:
    job = await claimed(ctx, id, worker)
    if job is not None:
        await ctx.db.patch(id, {"beatAt": ctx.now})
    return job is not None


@functions.mutation(
    "jobs:complete", args={"id": v.id("jobs"), "worker": v.string(), "result": v.any()}
)
async def complete(ctx: Any, id: str, worker: str, result: Any) -> None:
    if await claimed(ctx, id, worker) is None:
        raise ConvexError({"code": "CLAIM_LOST"})
    await ctx.db.patch(id, {"state": "done", "result": result})


@functions.mutation(
    "jobs:fail", args={"id": v.id("jobs"), "worker": v.string(), "error": v.string()}
)
async def fail(ctx: Any, id: str, worker: str, error: str) -> None:
    job = await claimed(ctx, id, worker)
    if job is None:
        raise ConvexError({"code": "CLAIM_LOST"})
    await give_back(ctx, job, error)


@functions.internal_mutation("jobs:expire", args={"id": v.id("jobs"), "attempts": v.number()})
async def expire(ctx: Any, id: str, attempts: float) -> None:
    """Runs when a claim may have lapsed: one run a claim, and one more for each that is kept."""
    job = await ctx.db.get(id)
    if job is None or (job["state"], job["attempts"]) != ("running", attempts):
        return
    left = LEASE - (ctx.now - job["beatAt"]) / 1000
    if left > 0:
        await ctx.scheduler.run_after(left, "jobs:expire", {"id": id, "attempts": attempts})
    else:
        await give_back(ctx, job, f"worker {job['worker']} went silent")


async def give_back(ctx: Any, job: Any, error: str) -> None:
    state = "failed" if job["attempts"] >= MAX_ATTEMPTS else "waiting"
    await ctx.db.patch(job["_id"], {"state": state, "error": error})
