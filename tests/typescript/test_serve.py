"""`convex-async serve ./convex` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from convex_async import ConvexClient


def serve(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "convex_async.cli", "serve", str(folder), "--port", "0", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_folder_is_served_until_sigterm(app: Path, tmp_path: Path) -> None:
    process = serve(app, "--path", str(tmp_path / "data.sqlite3"))
    try:
        assert process.stdout is not None
        serving = process.stdout.readline().rstrip()
        assert serving.startswith("Serving ")
        async with ConvexClient(serving.rpartition(" ")[2]) as client:
            await client.mutation("tasks:create", {"text": "Milk"})
            assert [task["text"] for task in await client.query("tasks:list")] == ["Milk"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_what_cannot_be_bundled_is_told_with_file_and_line(tmp_path: Path, app: Path) -> None:
    os.symlink(app.parent / "node_modules", tmp_path / "node_modules")
    folder = tmp_path / "convex"
    folder.mkdir()
    (tmp_path / "package.json").write_text("{}")
    (folder / "broken.ts").write_text("export const x = 1;\nexport const = 2;\n")
    process = serve(folder)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == ""
    assert "broken.ts:2:13" in err
    assert "Traceback" not in err
