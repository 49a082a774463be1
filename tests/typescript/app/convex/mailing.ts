import { v } from "convex/values";
import { createFunctionHandle } from "convex/server";
import { mutation, query } from "./_generated/server";
import { components } from "./_generated/api";

export const send = mutation({
  args: { letter: v.string() },
  handler: async (ctx, { letter }) => {
    await ctx.db.insert("tasks", { text: `sent ${letter}`, done: true });
    const id = await ctx.runMutation(components.mail.letters.send, { letter });
    await ctx.runMutation(components.archive.letters.send, { letter: `copy of ${letter}` });
    return id;
  },
});

export const sendOrNot = mutation({
  args: {},
  handler: async (ctx) => {
    await ctx.runMutation(components.mail.letters.send, { letter: "kept" });
    try {
      await ctx.runMutation(components.mail.letters.send, { letter: "" });
    } catch {
      return "refused";
    }
  },
});

export const letters = query({
  args: {},
  handler: async (ctx) => ({
    mail: await ctx.runQuery(components.mail.letters.list, {}),
    archive: await ctx.runQuery(components.archive.letters.list, {}),
    count: await ctx.runQuery(components.mail.letters.count, {}),
  }),
});

/** Ids of a component are not the app's. */
export const look = query({
  args: { id: v.string() },
  handler: async (ctx, { id }) => ({
    here: ctx.db.normalizeId("tasks", id),
    there: (await ctx.runQuery(components.mail.letters.find, { id }))?.letter,
  }),
});

export const byHandle = query({
  args: {},
  handler: async (ctx) => {
    const handle = await createFunctionHandle(components.mail.letters.count);
    return ctx.runQuery(handle as any, {});
  },
});
