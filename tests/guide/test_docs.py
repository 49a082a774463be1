"""Every Python block of the guides runs, in order, as one program with `await` at its top."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from convex_async.local import LocalDeployment
from tests.guide.site import functions

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "blocks"),
    [("guide.md", 20), ("coming-from-convex.md", 2), ("local.md", 3), ("reactive.md", 4)],
)
async def test_a_page_runs(page: str, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEX_URL", raising=False)
    monkeypatch.setenv("CONVEX_URL", "")  # put back what the page sets
    text = (DOCS / page).read_text()
    found = list(re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S))
    assert len(found) >= blocks
    async with LocalDeployment(functions) as deployment:
        names: dict[str, Any] = {"deployment": deployment, "__name__": "guide"}
        for block in found:
            line = text.count("\n", 0, block.start(1))
            code = compile(
                "\n" * line + block[1], page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            )
            ran = eval(code, names)
            if inspect.isawaitable(ran):
                await ran
        tests = [test for name, test in names.items() if name.startswith("test_")]
        for test in tests:
            await test()
        assert len(tests) == text.count("async def test_")
