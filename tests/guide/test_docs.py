"""Every Python block of the guides runs, in order, as one program with `await` at its top."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from examples.worker import backend

from convex_async.local import LocalDeployment
from tests.guide.site import functions

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Of pages that are about other functions than the guide's.
FUNCTIONS = {"workers.md": backend.functions}


@pytest.mark.parametrize(
    ("page", "blocks"),
    [
        ("guide.md", 20),
        ("coming-from-convex.md", 2),
        ("local.md", 8),
        ("reactive.md", 4),
        ("workers.md", 3),
        ("telemetry.md", 2),
    ],
)
async def test_a_page_runs(page: str, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEX_URL", raising=False)
    monkeypatch.setenv("CONVEX_URL", "")  # put back what the page sets
    text = (DOCS / page).read_text()
    found = list(re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S))
    assert len(found) >= blocks
    async with LocalDeployment(FUNCTIONS.get(page, functions)) as deployment:
        names: dict[str, Any] = {"deployment": deployment, "__name__": "guide"}
        for block in found:
            line = text.count("\n", 0, block.start(1))
            code = compile(
                "\n" * line + block[1],
                page,
                "exec",
                flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                dont_inherit=True,  # a block's annotations are a program's own
            )
            ran = eval(code, names)
            if inspect.isawaitable(ran):
                await ran
        tests = [test for name, test in names.items() if name.startswith("test_")]
        for test in tests:
            await test()
        assert len(tests) == text.count("async def test_")


@pytest.mark.parametrize("file", ["backend.py", "convex/schema.ts", "convex/jobs.ts"])
def test_the_workers_page_shows_the_functions_of_the_example(file: str) -> None:
    text = (ROOT / "examples" / "worker" / file).read_text()
    assert f"\n{text}```\n" in (DOCS / "workers.md").read_text()
