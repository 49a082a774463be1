// The imports, and `register`, are what the guide leaves out.
import { v } from "convex/values";
import { mutation } from "./_generated/server";

// ✅ GOOD - verify identity
export const deleteAccount = mutation({
  args: {},
  handler: async (ctx) => {
    const identity = await ctx.auth.getUserIdentity();
    if (!identity) throw new Error("Unauthorized");

    const user = await ctx.db
      .query("users")
      .withIndex("by_token", q => q.eq("tokenIdentifier", identity.tokenIdentifier))
      .unique();

    if (!user) throw new Error("User not found");
    await ctx.db.delete(user._id);
  },
});

export const register = mutation({
  args: { name: v.string(), email: v.string() },
  handler: async (ctx, args) => {
    const identity = await ctx.auth.getUserIdentity();
    if (!identity) throw new Error("Unauthorized");
    return ctx.db.insert("users", { ...args, tokenIdentifier: identity.tokenIdentifier });
  },
});
