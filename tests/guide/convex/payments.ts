// What the guide's webhook and orders lead to.
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalAction, internalMutation, mutation, query } from "./_generated/server";

export const process = internalMutation({
  args: { payload: v.any() },
  handler: async (ctx, { payload }) => {
    await ctx.db.insert("payments", payload);
  },
});

export const charge = internalAction({
  args: { orderId: v.id("orders") },
  handler: async (ctx, { orderId }) => {
    await ctx.runMutation(internal.payments.process, { payload: { orderId } });
  },
});

// ✅ GOOD - mutation schedules action
export const processOrder = mutation({
  handler: async (ctx, args) => {
    const orderId = await ctx.db.insert("orders", { ...args });
    await ctx.scheduler.runAfter(0, internal.payments.charge, { orderId });
  },
});

export const list = query({
  args: {},
  handler: async (ctx) =>
    (await ctx.db.query("payments").collect()).map(({ _id, _creationTime, ...fields }) => fields),
});
