"""`convex-async serve` as a process: what it prints, and that SIGTERM ends it in order."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

from convex_async import ConvexClient, ConvexHttpClient
from tests.local.calls import until

BACKEND = """
import asyncio
from pathlib import Path

from convex_async.local import Functions

functions = Functions()
functions.crons.daily("tidy", "notes:add", {"text": "by cron"}, hour_utc=3, minute_utc=0)


@functions.mutation("notes:add")
async def add(ctx, text):
    await ctx.db.insert("notes", {"text": text})


@functions.query("notes:list")
async def list_notes(ctx):
    return [note["text"] for note in await ctx.db.query("notes").collect()]


@functions.action("notes:wait")
async def wait(ctx, name):
    Path(name).touch()
    while not Path("go on").exists():
        await asyncio.sleep(0.005)
    await ctx.run_mutation("notes:add", {"text": name})
    return name
"""


def serve(directory: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and the URL that it printed."""
    options = ["backend:functions", "--port", "0", "--path", "data.sqlite3", *more]
    process = subprocess.Popen(
        [sys.executable, "-m", "convex_async.cli", "serve", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=directory,
    )
    assert process.stdout is not None
    serving = process.stdout.readline().rstrip()
    assert serving.startswith("Serving 3 functions at http://127.0.0.1:")
    assert process.stdout.readline().startswith("Admin key: ")
    assert process.stdout.readline() == "Cron tidy: notes:add, daily at 3:00\n"
    return process, serving.rpartition(" ")[2]


async def test_serve_until_sigterm_and_again(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(BACKEND)
    for notes in (["a"], ["a", "a"]):
        process, url = serve(tmp_path)
        try:
            async with ConvexClient(url) as client:
                await client.mutation("notes:add", {"text": "a"})
                assert await client.query("notes:list") == notes
            process.send_signal(signal.SIGTERM)
            assert process.communicate(timeout=10)[0] == "Stopped\n"
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()


async def test_sigterm_lets_what_is_under_way_finish(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(BACKEND)
    process, url = serve(tmp_path)
    try:
        async with ConvexClient(url) as client, ConvexHttpClient(url) as http_client:
            calls = [
                asyncio.create_task(client.action("notes:wait", {"name": "socket"})),
                asyncio.create_task(http_client.action("notes:wait", {"name": "request"})),
            ]
            await until(lambda: (tmp_path / "socket").exists() and (tmp_path / "request").exists())
            process.send_signal(signal.SIGTERM)
            await until(lambda: not is_listening(url))
            assert process.poll() is None
            (tmp_path / "go on").touch()
            assert await asyncio.gather(*calls) == ["socket", "request"]
        assert process.communicate(timeout=5)[0] == "Stopped\n"
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    process, url = serve(tmp_path)
    try:
        async with ConvexClient(url) as client:
            assert sorted(await client.query("notes:list")) == ["request", "socket"]
    finally:
        process.kill()
        process.communicate()


def is_listening(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def test_serve_starts_again_when_the_module_changes(tmp_path: Path) -> None:
    module = tmp_path / "backend.py"
    module.write_text(BACKEND)
    process, _ = serve(tmp_path, "--reload")
    assert process.stdout is not None
    try:
        module.write_text("a mistake in the middle of typing")
        module.write_text(BACKEND + BACKEND[BACKEND.index("@") :].replace("notes:", "more:"))
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("Serving 6 functions at ") for line in lines)
        process.send_signal(signal.SIGTERM)
        assert "Stopped\n" in process.communicate(timeout=10)[0]
    finally:
        process.kill()
        process.wait()
