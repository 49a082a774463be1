"""The threat model names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_line_has_a_test() -> None:
    text = (HERE / "README.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    claims = [line for line in lines if not line.startswith(("| what", "| ---"))]
    assert len(claims) > 20
    for line in claims:
        found = NAMED.findall(line)
        assert found, f"no test for: {line}"
        for file, name in found:
            body = ast.parse((HERE / file).read_text("utf-8")).body
            functions = {
                node.name
                for node in body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            assert name in functions, f"{file} has no {name}"


def test_the_security_page_leads_there() -> None:
    page = (HERE.parent.parent / "SECURITY.md").read_text("utf-8")
    assert "tests/security/README.md" in page
