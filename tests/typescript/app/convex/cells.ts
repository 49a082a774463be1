// The same transactions as in tests/local/transactions/test_serializable.py.
import { ConvexError, v } from "convex/values";
import { internalMutation, mutation, query, type MutationCtx } from "./_generated/server";
import { internal } from "./_generated/api";

async function carryOut(ctx: MutationCtx, seen: unknown[], kind: string, low: number, high: number) {
  const within = () =>
    ctx.db.query("cells").withIndex("by_at", (q) => q.gte("at", low).lt("at", high));
  switch (kind) {
    case "sum": {
      const cells = await within().collect();
      seen.push(cells.reduce((sum, cell) => sum + cell.n, 0));
      break;
    }
    case "last":
      seen.push((await within().order("desc").first())?.at ?? null);
      break;
    case "take":
      seen.push((await within().take(2)).map((cell) => cell.at));
      break;
    case "odd":
      // Read ahead, but consumed only up to the first that fits.
      for await (const cell of within()) {
        if (cell.n % 2 === 1) {
          seen.push(cell.at);
          return;
        }
      }
      seen.push(null);
      break;
    case "fill":
      if ((await within().first()) === null) await ctx.db.insert("cells", { at: low, n: 1 });
      break;
    case "grow": {
      const found = await within().collect();
      const total = found.reduce((sum, cell) => sum + cell.n, 1);
      if (found.length) await ctx.db.patch(found[0]._id, { n: total });
      break;
    }
    case "move": {
      const first = await within().first();
      const there = await ctx.db
        .query("cells")
        .withIndex("by_at", (q) => q.eq("at", high))
        .unique();
      if (first !== null && there === null) await ctx.db.patch(first._id, { at: high });
      break;
    }
    case "clear": {
      const last = await within().order("desc").first();
      if (last !== null) await ctx.db.delete(last._id);
      break;
    }
    case "undo":
      try {
        await ctx.runMutation(internal.cells.undone, { low, high });
      } catch (error) {
        seen.push((error as ConvexError<any>).data);
      }
  }
}

export const run = mutation({
  args: { steps: v.array(v.any()) },
  handler: async (ctx, { steps }) => {
    const seen: unknown[] = [];
    for (const [kind, low, high] of steps) await carryOut(ctx, seen, kind, low, high);
    return seen;
  },
});

export const undone = internalMutation({
  args: { low: v.number(), high: v.number() },
  handler: async (ctx, { low, high }) => {
    const total: any[] = [];
    for (const kind of ["sum", "fill", "grow", "clear"])
      await carryOut(ctx, total, kind, low, high);
    throw new ConvexError(total);
  },
});

export const all = query({
  args: {},
  handler: async (ctx) => {
    const cells = await ctx.db.query("cells").withIndex("by_at").collect();
    return cells.map((cell) => [cell.at, cell.n]);
  },
});

export const reset = mutation({
  args: {},
  handler: async (ctx) => {
    for (const cell of await ctx.db.query("cells").collect()) await ctx.db.delete(cell._id);
  },
});
