// What the guide's crons run.
import { internalMutation } from "./_generated/server";

export const cleanup = internalMutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("events", { kind: "maintenance" });
  },
});
