import { ConvexError, v } from "convex/values";
import { paginationOptsValidator } from "convex/server";
import { internalMutation, internalQuery, mutation, query } from "./_generated/server";
import { internal } from "./_generated/api";

export const list = query({
  args: {},
  handler: async (ctx) => ctx.db.query("tasks").order("desc").collect(),
});

export const get = query({
  args: { id: v.id("tasks") },
  returns: v.any(),
  handler: async (ctx, { id }) => ctx.db.get(id),
});

export const mine = query({
  args: {},
  handler: async (ctx) => {
    const identity = await ctx.auth.getUserIdentity();
    if (identity === null) throw new ConvexError({ code: "UNAUTHENTICATED" });
    return ctx.db
      .query("tasks")
      .withIndex("by_owner", (q) => q.eq("owner", identity.subject))
      .collect();
  },
});

export const page = query({
  args: { paginationOpts: paginationOptsValidator },
  handler: async (ctx, { paginationOpts }) => ctx.db.query("tasks").paginate(paginationOpts),
});

export const open = query({
  args: { least: v.string() },
  handler: async (ctx, { least }) =>
    ctx.db
      .query("tasks")
      .withIndex("by_done", (q) => q.eq("done", false).gte("text", least))
      .filter((q) => q.neq(q.field("text"), "hidden"))
      .collect(),
});

export const firstMatching = query({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    for await (const task of ctx.db.query("tasks")) {
      if (task.text === text) return task._id;
    }
    return null;
  },
});

export const create = mutation({
  args: { text: v.string(), owner: v.optional(v.string()) },
  returns: v.id("tasks"),
  handler: async (ctx, { text, owner }) => {
    if (text === "") throw new ConvexError({ code: "EMPTY", limit: 1n });
    console.log("creating", { text });
    return ctx.db.insert("tasks", { text, owner, done: false });
  },
});

export const finish = mutation({
  args: { id: v.id("tasks") },
  handler: async (ctx, { id }) => {
    await ctx.db.patch(id, { done: true, owner: undefined });
  },
});

export const rename = mutation({
  args: { id: v.id("tasks"), text: v.string() },
  handler: async (ctx, { id, text }) => {
    const task = await ctx.db.get(id);
    if (task === null) throw new Error("no such task");
    const { _id, _creationTime, ...fields } = task;
    await ctx.db.replace(id, { ...fields, text });
  },
});

export const remove = mutation({
  args: { id: v.id("tasks") },
  handler: async (ctx, { id }) => ctx.db.delete(id),
});

/** Deletes while it iterates: what it has deleted must not come again. */
export const removeFollowing = mutation({
  args: {},
  handler: async (ctx) => {
    const seen: string[] = [];
    for await (const task of ctx.db.query("tasks")) {
      seen.push(task.text);
      const next = await ctx.db
        .query("tasks")
        .withIndex("by_creation_time", (q) => q.gt("_creationTime", task._creationTime))
        .first();
      if (next !== null) await ctx.db.delete(next._id);
    }
    return seen;
  },
});

export const createAll = mutation({
  args: { texts: v.array(v.string()) },
  handler: async (ctx, { texts }) => {
    for (const text of texts) await ctx.db.insert("tasks", { text, done: false });
  },
});

/** The inner mutation's writes are undone, and its error can be caught. */
export const tryTwice = mutation({
  args: {},
  handler: async (ctx) => {
    let message = "";
    try {
      await ctx.runMutation(internal.tasks.insertAndFail, {});
    } catch (error) {
      message = (error as Error).message;
    }
    const count = await ctx.runQuery(internal.tasks.count, {});
    return { message, count };
  },
});

export const insertAndFail = internalMutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("tasks", { text: "undone", done: false });
    throw new Error("changed my mind");
  },
});

export const count = internalQuery({
  args: {},
  handler: async (ctx) => (await ctx.db.query("tasks").collect()).length,
});

export const remindLater = mutation({
  args: { text: v.string(), ms: v.number() },
  handler: async (ctx, { text, ms }) =>
    ctx.scheduler.runAfter(ms, internal.tasks.remind, { text }),
});

export const remindForgotten = mutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    void ctx.scheduler.runAfter(0, internal.tasks.remind, { text });
  },
});

export const remind = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    await ctx.db.insert("tasks", { text: `reminder: ${text}`, done: false });
  },
});

export const tick = internalMutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("events", { kind: "tick", payload: null });
  },
});

export const cancel = mutation({
  args: { id: v.id("_scheduled_functions") },
  handler: async (ctx, { id }) => ctx.scheduler.cancel(id),
});
