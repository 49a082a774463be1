import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  // The app has a table of this name, too.
  tasks: defineTable({ letter: v.string(), answers: v.optional(v.id("tasks")) }),
});
