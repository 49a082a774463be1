import { v } from "convex/values";
import { mutation, query } from "./_generated/server";

export const add = mutation({
  args: { title: v.string(), director: v.string() },
  handler: async (ctx, args) => ctx.db.insert("movies", args),
});

export const bySpielberg = query({
  args: {},
  handler: async (ctx) => {
    // ❌ BAD - full table scan
    const movies = await ctx.db.query("movies")
      .filter(q => q.eq(q.field("director"), "Spielberg"))
      .collect();
    return movies.map(({ title }) => title);
  },
});
