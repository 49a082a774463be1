"""`python -m convex_async`: the command line."""

from __future__ import annotations

from convex_async.cli.__main__ import run

if __name__ == "__main__":
    run()
