import { makeFunctionReference } from "convex/server";
import { v } from "convex/values";
import { action, query } from "./_generated/server";

// Of Python functions that are deployed beside this folder.
const double = makeFunctionReference<"query">("python:double");

export const doubleInPython = query({
  args: { number: v.number() },
  handler: async (ctx, args) => ctx.runQuery(double, args),
});

export const doubleInAction = action({
  args: { number: v.number() },
  handler: async (ctx, args) => ctx.runQuery(double, args),
});
