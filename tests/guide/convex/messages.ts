// The imports, and the functions at the end, are what the guide leaves out.
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation, mutation, query } from "./_generated/server";

export const sendExpiringMessage = mutation({
  args: { body: v.string() },
  handler: async (ctx, args) => {
    const id = await ctx.db.insert("messages", { body: args.body });
    // Self-destruct after 5 seconds
    await ctx.scheduler.runAfter(5000, internal.messages.delete, { id });
    return id;
  },
});

const remove = internalMutation({
  args: { id: v.id("messages") },
  handler: async (ctx, { id }) => {
    await ctx.db.delete(id);
  },
});
export { remove as delete };

export const list = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("messages").collect()).map(({ body }) => body),
});
