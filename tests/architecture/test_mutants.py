"""The mutation run itself: which breaks it makes, and that its floor holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import breaks, broken_text, main


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("a = b == c", ["a = b != c"]),
        ("a = b < c", ["a = b <= c"]),
        ("a = b and c", ["a = b or c"]),
        ("a += b", ["a -= b"]),
        ("a = not b", ["a = not not b"]),
        ("a = True", ["a = False"]),
        ("a = 7", ["a = 8"]),
        ("a(b)", ["None"]),
        ("if a:\n    b = c", ["if False:\n    b = c"]),
        ("while a:\n    b(c)", ["while False:\n    b(c)", "while a:\n    None"]),
        ("'a docstring'", []),
        ("a: Literal[1]", []),
        ("assert a == b", []),
        ("if TYPE_CHECKING:\n    a(b)", []),
    ],
)
def test_the_breaks_of_a_text(source: str, broken: list[str]) -> None:
    found = breaks(Path("a.py"), source)
    assert [broken_text(source, one.number).strip() for one in found] == broken


@pytest.mark.parametrize(
    ("test", "floor", "code"),
    [
        ("assert larger(2, 1) == 2 and larger(1, 2) == 2", "1", 0),
        ("larger(2, 1)", "0.5", 1),
        ("larger(2, 1)", "0", 0),
        ("assert larger(2, 1) == 1", "0", 2),
    ],
    ids=["noticed", "below the floor", "no floor", "red without a break"],
)
def test_the_floor(tmp_path: Path, test: str, floor: str, code: int) -> None:
    """With tests that assert nothing the run is red, and with red tests it says nothing."""
    package, tests = tmp_path / "python/broken_sums/protocol", tmp_path / "tests/protocol"
    for folder in (package, tests):
        folder.mkdir(parents=True)
    whole = "def larger(a, b):\n    if a > b:\n        return a\n    return b\n"
    (package / "sums.py").write_text(whole)
    (tests / "test_sums.py").write_text(
        f"from broken_sums.protocol.sums import larger\n\ndef test_it():\n    {test}\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["--only", "sums", "--floor", floor, "--jobs", "1", "--count", "1", "--seed", "1"]
    assert main(options, root=tmp_path, package="broken_sums") == code
    assert (package / "sums.py").read_text() == whole
