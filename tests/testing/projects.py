"""A user's project on the disk, and pytest run in it as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "python"

BACKEND = """
from convex_async.local import Functions

functions = Functions()


@functions.mutation("tasks:create")
async def create(ctx, text):
    await ctx.scheduler.run_after(3600, "tasks:remind", {"text": text})
    return await ctx.db.insert("tasks", {"text": text})


@functions.query("tasks:list")
async def list_tasks(ctx):
    return [task["text"] for task in await ctx.db.query("tasks").collect()]


@functions.mutation("tasks:remind")
async def remind(ctx, text):
    await ctx.db.insert("reminders", {"text": text})
"""

CONFTEST = """
import pytest


@pytest.fixture
def convex_functions():
    return "backend:functions"
"""


def write_project(directory: Path, **files: str) -> None:
    """A backend, a conftest.py and test files, and the entry point as it is installed."""
    texts = {"backend": BACKEND, "conftest": CONFTEST, **files}
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(text)
    # As long as nobody reinstalls the package, its metadata may be of an earlier day.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = directory / "site" / "convex_async_entry_points-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: convex-async-entry-points\nVersion: 0\n"
    )
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["pytest11"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))


def run_pytest(
    directory: Path, *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(PACKAGES), str(directory / "site"), str(directory)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
