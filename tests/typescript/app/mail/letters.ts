import { v } from "convex/values";
import { mutation, query } from "./_generated/server";
import { api } from "./_generated/api";

export const send = mutation({
  args: { letter: v.string(), answers: v.optional(v.id("tasks")) },
  returns: v.id("tasks"),
  handler: async (ctx, args) => {
    if (args.letter === "") throw new Error("an empty letter");
    return ctx.db.insert("tasks", args);
  },
});

export const list = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("tasks").collect()).map((task) => task.letter),
});

export const count = query({
  args: {},
  handler: async (ctx) => (await ctx.runQuery(api.letters.list, {})).length,
});

export const find = query({
  args: { id: v.string() },
  handler: async (ctx, { id }) => {
    const normal = ctx.db.normalizeId("tasks", id);
    return normal === null ? null : ctx.db.get(normal);
  },
});
