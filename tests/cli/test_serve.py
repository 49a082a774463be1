"""`convex-async serve` as a process: what it prints, and that SIGTERM ends it in order."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from convex_async import ConvexClient, ConvexHttpClient
from convex_async.cli.serve import command
from convex_async.sync import ConvexClient as BlockingClient
from tests.cli import commands
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


def refused_lines(directory: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> list[str]:
    """What is told of `serve` in this process, which ends with status 2."""
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "backend", raising=False)
    done = CliRunner().invoke(command, ["backend:functions", "--port", "0", *options])
    sys.modules.pop("backend", None)
    lines = done.output.splitlines()
    assert (done.exit_code, len(lines)) == (2, 2), done.output
    return lines


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        (["--port", "99999"], "99999 is no port.", "to 65535"),
        (["--port", "-1"], "-1 is no port.", "to 65535"),
        (["--path", "folder"], "folder is a folder.", "a file"),
        (["--path", "foreign"], "foreign is no file of a local deployment's data", "--path"),
        (["--host", "203.0.113.1"], "can't listen on 203.0.113.1:0", "--host"),
    ],
)
def test_what_can_not_be_served_is_told_in_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], first: str, second: str
) -> None:
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "folder").mkdir()
    (tmp_path / "foreign").write_text("no SQLite at all, but a text of its own" * 100)
    lines = refused_lines(tmp_path, monkeypatch, *options)
    assert lines[0].startswith(f"Error: {first}")
    assert second in lines[1]


@pytest.mark.parametrize(
    ("source", "first", "second"),
    [
        ("x = 1\ndef broken(:\n    pass\n", "SyntaxError: invalid syntax", "line 2"),
        ("import os\nimport not_there\n", "ModuleNotFoundError: No module", "backend.py, line 2"),
        ("def f():\n    1 / 0\nf()\n", "ZeroDivisionError: division by zero", "line 2"),
        (BACKEND + "functions.mutation('notes:add')(add)", "ValueError: ", "backend.py, line"),
        ("functions = None", "", "has to be"),
        (None, "ModuleNotFoundError: No module named 'backend'", "looked for in"),
        ("", "AttributeError: ", "looked for in"),
        (BACKEND + "functions.crons.daily('x', 'no:no', hour_utc=1, minute_utc=0)", "", "Mend"),
    ],
)
def test_a_module_that_fails_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, first: str, second: str
) -> None:
    if source is not None:
        (tmp_path / "backend.py").write_text(source)
    lines = refused_lines(tmp_path, monkeypatch)
    assert lines[0].startswith("Error: ")
    assert first in lines[0]
    assert second in lines[1]


def test_it_issues_tokens(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(commands.BACKEND)
    process = subprocess.Popen(
        commands.command("serve", "backend:functions", "--port=0", "--token=ada", "--token=bob"),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=commands.environment(),
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert process.stdout.readline().startswith("Admin key: ")
        for subject in ("ada", "bob"):
            head, _, token = process.stdout.readline().rstrip().rpartition(" ")
            assert head == f"Token of {subject}:"
            with BlockingClient(url, auth=token) as client:
                assert client.query("users:me") == subject
    finally:
        process.kill()
        process.communicate()
