"""No trap without a test."""

import ast
import re
from pathlib import Path

TRAPS = 43


def test_every_trap_has_a_test() -> None:
    numbers: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                match = re.match(r"test_trap_(\d\d)_[a-z]", node.name)
                if match is not None:
                    assert ast.get_docstring(node), f"{node.name} does not say its rule"
                    numbers.add(int(match[1]))
    assert numbers == set(range(1, TRAPS + 1))
