"""`convex-async codegen --watch`, and from a folder of TypeScript functions."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.commands import BACKEND, command, environment, on_a_terminal, run
from tests.typescript.conftest import app as typescript_app

app = typescript_app  # the fixture: the app's folder with its npm packages

TASKS = """import { v } from "convex/values";
import { queryGeneric as query } from "convex/server";
export const count = query({ args: { rank: v.int64() }, handler: async () => null });
"""


@contextmanager
def watching(cwd: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("codegen", "--watch", *arguments),
        cwd=cwd,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().rstrip()


def test_each_change_is_written_until_ctrl_c(tmp_path: Path) -> None:
    source, output = tmp_path / "backend.py", tmp_path / "convex_api.py"
    source.write_text(BACKEND)
    with watching(tmp_path, "--app", "backend:functions") as process:
        assert line(process) == "convex_api.py: written"
        assert "def _notes_big(" in output.read_text()
        source.write_text(BACKEND.replace("notes:big", "notes:large"))
        assert line(process) == "changed: backend.py"  # and not the file that was written
        assert line(process) == "convex_api.py: written"
        assert "def _notes_large(" in output.read_text()
        source.write_text(BACKEND + "nonsense(\n")
        assert line(process) == "changed: backend.py"
        assert "backend.py:" in (told := line(process))
        assert "was never closed" in told
        assert "def _notes_large(" in output.read_text()
        source.write_text(BACKEND)
        assert line(process) == "changed: backend.py"
        assert line(process) == "convex_api.py: written"
        assert "def _notes_big(" in output.read_text()


def test_watch_needs_a_file_to_follow(tmp_path: Path) -> None:
    ran = run("codegen", "--watch", cwd=tmp_path, CONVEX_URL="http://127.0.0.1:1")
    assert ran.returncode == 2
    assert "give --spec, --app or --folder" in ran.stderr


def test_a_folder_of_typescript_and_its_drift(app: Path, tmp_path: Path) -> None:
    folder = tmp_path / "convex"
    folder.mkdir()
    os.symlink(app.parent / "node_modules", tmp_path / "node_modules")
    (tmp_path / "package.json").write_text("{}")
    (folder / "tasks.ts").write_text(TASKS)
    arguments = ("codegen", "--folder", "convex")
    ran = run(*arguments, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    output = tmp_path / "convex_api.py"
    assert output.read_text().startswith("# Written by convex-async codegen from convex")
    assert "def _tasks_count(" in output.read_text()
    (folder / "tasks.ts").write_text(TASKS.replace("count", "total"))
    drifted = run(*arguments, "--check", cwd=tmp_path)
    assert drifted.returncode == 1
    assert "+def _tasks_total(" in drifted.stdout
    assert "def _tasks_count(" in output.read_text()
    (folder / "tasks.ts").write_text(TASKS + "export const = 2;\n")
    broken = run(*arguments, cwd=tmp_path)
    assert broken.returncode == 1
    assert f"tasks.ts:{TASKS.count(chr(10)) + 1}:" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(BACKEND)
    arguments = ("codegen", "--app", "backend:functions", "-o", str(tmp_path / "api.py"))
    code, seen = on_a_terminal(*arguments, PYTHONPATH=f"{tmp_path}:{environment()['PYTHONPATH']}")
    assert code == 0, seen
    assert seen == f"{tmp_path / 'api.py'}: written\r\n"
