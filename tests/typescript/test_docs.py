"""The page on TypeScript: its own TypeScript, run by its own Python."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "typescript.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


async def test_the_page_runs(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "node_modules").symlink_to(app.parent / "node_modules")
    (tmp_path / "convex").mkdir()
    (notes,) = blocks("typescript")
    (tmp_path / "convex" / "notes.ts").write_text(notes)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "typescript"}
    programs = blocks("python")
    assert len(programs) == 2
    for program in programs:
        code = compile(program, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
