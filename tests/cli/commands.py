"""Commands as processes, on a pipe and on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "python"

BACKEND = """
from convex_async import ConvexError
from convex_async.local import Functions, v
from convex_async.values import ConvexInt64

functions = Functions()


@functions.mutation("notes:add", args={"text": v.string(), "rank": v.optional(v.number())})
async def add(ctx, text, rank=None):
    ctx.log("adding")
    if not text:
        raise ConvexError({"code": "EMPTY"})
    return await ctx.db.insert("notes", {"text": text})


@functions.query("notes:list", args={})
async def list_notes(ctx):
    return await ctx.db.query("notes").collect()


@functions.query("notes:big")
async def big(ctx):
    return ConvexInt64(2**60)


@functions.query("users:me")
async def me(ctx):
    identity = await ctx.auth.get_user_identity()
    return identity and identity["subject"]


@functions.mutation("files:make_url")
async def make_url(ctx):
    return await ctx.storage.generate_upload_url()


@functions.query("files:url")
async def url(ctx, storageId):
    return await ctx.storage.get_url(storageId)
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "CONVEX" not in name}
    return {**kept, "PYTHONPATH": str(PACKAGES), "TERM": "xterm-256color", **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "convex_async", *arguments]


def run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def on_a_terminal(*arguments: str, **env: str) -> tuple[int, str]:
    """The exit code, and all that the terminal got."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), env=environment(**env), stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    seen = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        seen += data
    os.close(main)
    return process.wait(timeout=30), seen.decode()
