import { v } from "convex/values";
import { action, mutation, query } from "./_generated/server";
import { api } from "./_generated/api";

// A module that is evaluated anew for each query and mutation begins with this each time.
let calls = 0;

export const loop = query({
  args: { name: v.optional(v.string()) },
  handler: async (ctx) => {
    await ctx.db.query("tasks").first();
    for (;;) calls++;
  },
});

export const loopInMutation = mutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("tasks", { text: "never", done: false });
    for (;;) calls++;
  },
});

/** Computes for long, though not at once. */
export const slow = query({
  args: {},
  handler: async (ctx) => {
    for (let round = 0; round < 100; round++) {
      const until = performance.now() + 50;
      while (performance.now() < until) calls++;
      await ctx.db.query("tasks").first();
    }
  },
});

export const count = query({ args: {}, handler: async () => ++calls });

export const leak = query({
  args: {},
  handler: async () => {
    const before = (globalThis as any).leaked ?? 0;
    (globalThis as any).leaked = before + 1;
    return before;
  },
});

export const time = query({
  args: {},
  handler: async (ctx) => {
    const first = [Date.now(), new Date().getTime(), Math.random()];
    await ctx.db.query("tasks").collect();
    const second = [Date.now(), new Date().getTime(), Math.random()];
    return { first, second, isDate: new Date() instanceof Date, whole: Number.isInteger(first[0]) };
  },
});

export const fetchInQuery = query({
  args: {},
  handler: async () => {
    await fetch("http://127.0.0.1:1/");
  },
});

export const timerInMutation = mutation({
  args: {},
  handler: async () => {
    setTimeout(() => {}, 1);
  },
});

export const randomnessInQuery = query({
  args: {},
  handler: async () => crypto.randomUUID(),
});

export const neverResolves = query({
  args: {},
  handler: async () => new Promise(() => {}),
});

export const unhandled = query({
  args: {},
  handler: async (ctx) => {
    void Promise.reject(new Error("nobody looks"));
    await ctx.db.query("tasks").collect();
    return "done";
  },
});

export const unhandledInAction = action({
  args: {},
  handler: async () => {
    void (async () => {
      throw new Error("nobody looks");
    })();
    await new Promise((resolve) => setTimeout(resolve, 5000));
  },
});

export const wait = action({
  args: { ms: v.number() },
  handler: async (ctx, { ms }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return "waited";
  },
});

export const throwText = query({
  args: {},
  handler: async () => {
    throw "a text";
  },
});

export const throwObject = query({
  args: {},
  handler: async () => {
    throw { some: "object" };
  },
});

export const environment = query({
  args: {},
  handler: async () => ({
    greeting: process.env.GREETING ?? null,
    path: process.env.PATH ?? null,
    home: process.env.HOME ?? null,
    names: Object.keys(process.env).filter((name) => !name.startsWith("CONVEX_")),
    others: Object.keys(process),
  }),
});

export const hoard = query({
  args: {},
  handler: async () => {
    const kept: string[][] = [];
    for (;;) kept.push(Array.from({ length: 1_000_000 }, (_, n) => `${n} ${kept.length}`));
  },
});

export const realm = query({
  args: {},
  handler: async () => {
    const bytes = await new Blob(["x"]).arrayBuffer();
    let caught: unknown;
    try {
      new URL("::");
    } catch (error) {
      caught = error;
    }
    return {
      buffer: bytes instanceof ArrayBuffer,
      typeError: caught instanceof TypeError,
      bytes,
    };
  },
});

export const log = query({
  args: {},
  handler: async () => {
    console.log("hello", 1, 2n, null, undefined, { a: [1, "two"], b: new Map([["k", 1]]) });
    console.warn(new Error("shown"));
    console.debug("it's");
  },
});

export const nested = action({
  args: {},
  handler: async (ctx): Promise<void> => {
    await ctx.runQuery(api.trouble.throwText, {});
  },
});
