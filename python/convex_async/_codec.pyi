"""The Rust extension; `convex_async.codec` is its only importer."""
