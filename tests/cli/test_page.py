"""docs/cli.md: its session, line by line, against the functions it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convex_async.testing import serve
from tests.cli.commands import environment

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def session() -> list[tuple[str, str]]:
    """Each command of the page, and what the page says that it prints."""
    (block,) = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    commands: list[str] = re.split(r"^\$ ", block, flags=re.M)[1:]
    return [(one.partition("\n")[0], one.partition("\n")[2]) for one in commands]


@pytest.mark.timeout(150)
def test_the_session_prints_what_the_page_says(tmp_path: Path) -> None:
    (functions,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "backend.py").write_text(functions)
    names: dict[str, Any] = {}
    exec(compile(functions, "app/backend.py", "exec"), names)
    commands = session()
    assert len(commands) >= 10
    # One shell for all, as at a prompt; a mark stands between what each command printed.
    mark = "=== next"
    lines = [f"convex-async() {{ '{sys.executable}' -m convex_async \"$@\"; }}"]
    for command, _ in commands:
        lines += [command, f"echo '{mark}'"]
    with serve(names["functions"]) as deployment:
        ran = subprocess.run(
            ["bash", "-e", "-c", "\n".join(lines)],
            cwd=tmp_path,
            env=environment(CONVEX_URL=deployment.url, CONVEX_DEPLOY_KEY=deployment.admin_key),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.split(f"{mark}\n")
    assert len(printed) == len(commands) + 1
    for (command, said), got in zip(commands, printed, strict=False):
        wanted = re.escape(said).replace("…", ".*")
        assert re.fullmatch(wanted, got), f"$ {command}\n{got}"


def test_each_picture_is_there_and_shows_its_command() -> None:
    pictures = re.findall(r"\]\((images/\w+\.svg)\)", PAGE.read_text())
    assert len(pictures) == 5
    for picture in pictures:
        text = (PAGE.parent / picture).read_text()
        assert "convex-async" in text
