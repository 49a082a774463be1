// What the guide's crons run.
import { internalMutation } from "./_generated/server";

export const generate = internalMutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("events", { kind: "reports" });
  },
});
