"""Source as `ruff format` leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from convex_async.codegen.layout import fits, imports, quoted, spread


def formatted(text: str) -> str:
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "ruff"), "format", "--isolated", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout


@given(st.text())
def test_a_text_is_quoted_without_loss(text: str) -> None:
    assert eval(quoted(text)) == text
    assert "\n" not in quoted(text)


def test_quotes_are_those_that_ruff_takes() -> None:
    texts = ["", "a", "it's", 'say "x"', """it's "x" """, "'\"'", "\\", "\n\t", "é", "\x00", '""\'']
    source = "".join(f"x = {quoted(text)}\n" for text in texts)
    assert formatted(source) == source


def test_brackets_and_imports() -> None:
    source = "\n".join(
        [
            *imports("typing", ["Any", "NewType"]),
            *imports("m", ["OMITTED", "Zebra", "zebra", *(f"Name{n}" for n in range(12))]),
            "",
            *spread("x = {", ['"a": 1', "\n".join(spread('"b": [', ["1", "2"], "]"))], "}"),
            "",
        ]
    )
    assert formatted(source) == source
    assert (
        source.index("OMITTED")
        < source.index("Name0")
        < source.index("Zebra")
        < source.index("zebra")
    )


def test_a_line_that_fits_has_88_characters() -> None:
    assert fits("x" * 88)
    assert not fits("x" * 89)
