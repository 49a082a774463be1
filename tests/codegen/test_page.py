"""docs/codegen.md: its program runs with a file that is generated."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.codegen.backend import functions
from tests.codegen.generated import as_module, written

PAGE = Path(__file__).parents[2] / "docs" / "codegen.md"


async def test_the_page_s_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    as_module(written(functions).text, "convex_api")
    code = compile(block, "codegen.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        async with LocalDeployment(functions) as deployment, ConvexClient(deployment.url) as client:
            names: dict[str, Any] = {"client": client}
            ran = eval(code, names)
            assert inspect.isawaitable(ran)
            await ran
            assert capsys.readouterr().out == f"Milk\n{names['task_id']}\n"
    finally:
        del sys.modules["convex_api"]
