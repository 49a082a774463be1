"""docs/testing.md: its blocks are the files of a project, whose tests pass."""

from __future__ import annotations

import re
from pathlib import Path

from tests.testing.projects import ROOT, run_pytest, write_project

PAGE = ROOT / "docs" / "testing.md"


def test_the_page_is_a_project_whose_tests_pass(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "conftest.py").unlink()
    (tmp_path / "app").mkdir()
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(blocks) == PAGE.read_text().count("```python") == 9
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    ran = run_pytest(tmp_path, "-o", "asyncio_default_fixture_loop_scope=function")
    assert "8 passed" in ran.stdout, ran.stdout
