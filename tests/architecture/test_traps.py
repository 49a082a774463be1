"""No trap of the protocol without a test; the test of each says its rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
TRAPS = 43

Test = ast.FunctionDef | ast.AsyncFunctionDef


def marked(source: str) -> Iterator[tuple[int, Test]]:
    """The trap's number and the test, for each `@pytest.mark.trap(number)`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if (
                    isinstance(decorator, ast.Call)
                    and ast.unparse(decorator.func) == "pytest.mark.trap"
                ):
                    (number,) = (ast.literal_eval(argument) for argument in decorator.args)
                    yield number, node


def test_every_trap_has_a_test() -> None:
    numbers: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for number, node in marked(path.read_text("utf-8")):
            assert node.name.startswith("test_"), f"{path.name}: {node.name} is no test"
            assert ast.get_docstring(node), f"{path.name}: {node.name} does not say its rule"
            numbers.add(number)
    assert numbers == set(range(1, TRAPS + 1))


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("@pytest.mark.trap(7)\ndef test_a(): ...", [7]),
        ("@pytest.mark.slow\n@pytest.mark.trap(8)\nasync def test_b(): ...", [8]),
        ("@pytest.mark.slow(9)\ndef test_c(): ...", []),
        ("def test_trap_10_by_its_name(): ...", []),
    ],
)
def test_the_marker_is_what_counts(source: str, numbers: list[int]) -> None:
    assert [number for number, _ in marked(source)] == numbers
