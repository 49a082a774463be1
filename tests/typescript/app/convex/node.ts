"use node";

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { v } from "convex/values";
import { action } from "./_generated/server";
import { api } from "./_generated/api";

export const hash = action({
  args: { text: v.string() },
  handler: async (_ctx, { text }) => createHash("sha256").update(text).digest("hex"),
});

export const create = action({
  args: { text: v.string() },
  handler: async (ctx, { text }): Promise<string> => {
    const id: string = await ctx.runMutation(api.tasks.create, { text });
    return (await ctx.runQuery(api.tasks.get, { id: id as any })).text;
  },
});

export const exit = action({
  args: {},
  handler: async () => {
    process.exit(1);
  },
});

export const environment = action({
  args: {},
  handler: async () => ({
    greeting: process.env.GREETING ?? null,
    names: Object.keys(process.env).filter((name) => !name.startsWith("CONVEX_")),
    exists: existsSync("/"),
  }),
});

export const fail = action({
  args: {},
  handler: async () => {
    throw new Error("in Node");
  },
});
