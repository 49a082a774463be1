// A queue of jobs, and the functions that workers call: the TypeScript twin of backend.py.
// A job is "waiting", then "running" by one worker, then "done" or "failed". A worker that goes
// silent loses its claim: the job waits again, and fails for good at the last of its attempts.
import {
  internalMutationGeneric as internalMutation,
  makeFunctionReference,
  mutationGeneric as mutation,
  queryGeneric as query,
} from "convex/server";
import { ConvexError, v } from "convex/values";

// Milliseconds without a heartbeat after which a claim lapses; a few times the worker's interval.
const LEASE = 30_000;
const MAX_ATTEMPTS = 3;

const expireReference = makeFunctionReference<"mutation">("jobs:expire");

const waiting = (ctx: any) =>
  ctx.db.query("jobs").withIndex("by_state", (q: any) => q.eq("state", "waiting"));

// The job, if the worker has the claim of it.
async function claimed(ctx: any, id: string, worker: string) {
  const job = await ctx.db.get(id);
  return job?.state === "running" && job.worker === worker ? job : null;
}

export const submit = mutation({
  args: { payload: v.any() },
  handler: (ctx, { payload }) =>
    ctx.db.insert("jobs", { payload, state: "waiting", attempts: 0 }),
});

export const get = query({
  args: { id: v.id("jobs") },
  handler: (ctx, { id }) => ctx.db.get(id),
});

export const ready = query({
  args: {},
  // More than a few need not be told apart: workers ask again after each claim.
  handler: async (ctx) => (await waiting(ctx).take(100)).length,
});

export const claim = mutation({
  args: { worker: v.string() },
  handler: async (ctx, { worker }) => {
    const job = await waiting(ctx).first();
    if (job === null) return null;
    const attempts = job.attempts + 1;
    await ctx.db.patch(job._id, { state: "running", worker, attempts, beatAt: Date.now() });
    await ctx.scheduler.runAfter(LEASE, expireReference, { id: job._id, attempts });
    return await ctx.db.get(job._id);
  },
});

export const heartbeat = mutation({
  args: { id: v.id("jobs"), worker: v.string() },
  handler: async (ctx, { id, worker }) => {
    const job = await claimed(ctx, id, worker);
    if (job !== null) await ctx.db.patch(id, { beatAt: Date.now() });
    return job !== null;
  },
});

export const complete = mutation({
  args: { id: v.id("jobs"), worker: v.string(), result: v.any() },
  handler: async (ctx, { id, worker, result }) => {
    if ((await claimed(ctx, id, worker)) === null) throw new ConvexError({ code: "CLAIM_LOST" });
    await ctx.db.patch(id, { state: "done", result });
  },
});

export const fail = mutation({
  args: { id: v.id("jobs"), worker: v.string(), error: v.string() },
  handler: async (ctx, { id, worker, error }) => {
    const job = await claimed(ctx, id, worker);
    if (job === null) throw new ConvexError({ code: "CLAIM_LOST" });
    await giveBack(ctx, job, error);
  },
});

// Runs when a claim may have lapsed: one run a claim, and one more for each that is kept.
export const expire = internalMutation({
  args: { id: v.id("jobs"), attempts: v.number() },
  handler: async (ctx, { id, attempts }) => {
    const job = await ctx.db.get(id);
    if (job?.state !== "running" || job.attempts !== attempts) return;
    const left = LEASE - (Date.now() - job.beatAt);
    if (left > 0) await ctx.scheduler.runAfter(left, expireReference, { id, attempts });
    else await giveBack(ctx, job, `worker ${job.worker} went silent`);
  },
});

async function giveBack(ctx: any, job: any, error: string) {
  const state = job.attempts >= MAX_ATTEMPTS ? "failed" : "waiting";
  await ctx.db.patch(job._id, { state, error });
}
