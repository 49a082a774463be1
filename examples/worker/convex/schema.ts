import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  jobs: defineTable({
    payload: v.any(),
    state: v.union(
      v.literal("waiting"),
      v.literal("running"),
      v.literal("done"),
      v.literal("failed"),
    ),
    attempts: v.number(),
    worker: v.optional(v.string()),
    beatAt: v.optional(v.number()),
    result: v.optional(v.any()),
    error: v.optional(v.string()),
  }).index("by_state", ["state"]),
});
