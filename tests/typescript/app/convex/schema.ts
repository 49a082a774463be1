import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  tasks: defineTable({
    text: v.string(),
    done: v.boolean(),
    owner: v.optional(v.string()),
    file: v.optional(v.id("_storage")),
  })
    .index("by_owner", ["owner"])
    .index("by_done", ["done", "text"]),
  counters: defineTable({ name: v.string(), value: v.int64() }).index("by_name", ["name"]),
  cells: defineTable({ at: v.number(), n: v.number() }).index("by_at", ["at"]),
  events: defineTable({ kind: v.string(), payload: v.any() }),
});
