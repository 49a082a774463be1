"""No text makes a pattern of this package look at it again and again."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import convex_async

PACKAGE = Path(convex_async.__file__).parent
# What is repeated, and what may come before and after it, to make a match fail late.
PIECES = (
    *("a", "1", "_", ".", "-", "/", "\\", '"', '\\"', "a.", "a1_", "0-", " ", "ey", "ey.", "|"),
    *("bearer ", "[Request ID: ", "127.", "v1."),
)
BEFORE = ("", '"', "a", "1.1.1-", "eya.", "[Request ID: a", "bearer ", "|")
AFTER = ("", "!", "\n")
SHORT, LONG = 2_000, 20_000
# Ten times the text may take thirty times as long on a busy machine, but not a hundred times.
FACTOR = 30
# Seconds of the processor that nobody minds.
NEGLIGIBLE = 0.01


def patterns() -> Iterator[Any]:
    """Every compiled pattern at the top of a module, by where it is."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        name = ".".join(("convex_async", *path.relative_to(PACKAGE).with_suffix("").parts))
        for node in tree.body:
            if isinstance(node, ast.Assign) and "re.compile" in ast.unparse(node.value):
                target = ast.unparse(node.targets[0])
                ways = {
                    part.attr
                    for part in ast.walk(tree)
                    if isinstance(part, ast.Attribute) and ast.unparse(part.value) == target
                }
                assert ways, f"{name}.{target} is not used where it is made"
                yield pytest.param(name, target, sorted(ways), id=f"{name}.{target}")


def seconds(pattern: re.Pattern[Any], ways: list[str], text: str) -> float:
    """The processor's time for the ways in which it is looked at, the least of three times."""
    given: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    times = []
    for _ in range(3):
        began = time.thread_time()
        for way in ways:
            if way in ("sub", "subn"):
                getattr(pattern, way)(given[:0], given)
            else:
                getattr(pattern, way)(given)
        times.append(time.thread_time() - began)
        if times[-1] < NEGLIGIBLE:
            break
    return min(times)


def is_linear(
    pattern: re.Pattern[Any], ways: list[str], before: str, piece: str, after: str
) -> bool:
    long = before + piece * (LONG // len(piece)) + after
    short = before + piece * (SHORT // len(piece)) + after
    # The long one only where the short one was soon done, or this test would be the attack.
    took = seconds(pattern, ways, short)
    if took > NEGLIGIBLE:
        return False
    return (took_long := seconds(pattern, ways, long)) < NEGLIGIBLE or took_long < FACTOR * took


@pytest.mark.parametrize(("module", "name", "ways"), list(patterns()))
def test_a_pattern_is_linear(module: str, name: str, ways: list[str]) -> None:
    pattern = getattr(importlib.import_module(module), name)
    for piece in PIECES:
        for before in BEFORE:
            for after in AFTER:
                assert is_linear(pattern, ways, before, piece, after), (before, piece, after)


def test_this_test_knows_a_bad_pattern() -> None:
    assert not is_linear(re.compile(r"[a.]*a[a.]*"), ["fullmatch"], "", "a", "!")
    unended = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
    assert not is_linear(unended, ["sub"], "", '\\"', "")


def test_patterns_are_made_once_and_named() -> None:
    """One made in passing would be measured by nobody."""
    hidden = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        top = {
            id(part)
            for node in tree.body
            for part in ast.walk(node)
            if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).startswith("re.")
                and ast.unparse(node.func) not in ("re.escape",)
                and id(node) not in top
            ):
                hidden.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert hidden == []
