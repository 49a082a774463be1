"""The command `convex-async`."""
