"""Type checkers and generated files: right use is accepted, each mistake is flagged."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codegen.backend import functions
from tests.codegen.generated import STYLES, written

HERE = Path(__file__).parent
PACKAGES = HERE.parents[1] / "python"
MISTAKE = "  # wrong: "


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated file of each style, and the same programs for each."""
    project = tmp_path_factory.mktemp("typed")
    for style in STYLES:
        (project / f"api_{style}.py").write_text(written(functions, style).text)
        for name in ("right", "wrong"):
            text = (
                (HERE / f"{name}.py.txt")
                .read_text()
                .replace("from api import", f"from api_{style} import")
            )
            (project / f"{name}_{style}.py").write_text(text)
    for checker in ("pyright", "basedpyright"):
        settings = {
            "extraPaths": [str(PACKAGES)],
            "pythonVersion": "3.11",
            "typeCheckingMode": "strict",
        }
        (project / f"{checker}.json").write_text(json.dumps(settings))
    return project


def flagged_by_mypy(project: Path) -> dict[str, set[int]]:
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-absolute-path",
         "--cache-dir", str(project / "cache"), "--python-version", "3.11", "."],
        cwd=project,
        env={"MYPYPATH": str(PACKAGES), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    found: dict[str, set[int]] = {}
    for name, line in re.findall(r"(\w+\.py):(\d+): error", ran.stdout):
        found.setdefault(name, set()).add(int(line))
    return found


def flagged_by_pyright(project: Path, checker: str) -> dict[str, set[int]]:
    ran = subprocess.run(
        [str(Path(sys.executable).parent / checker), "--outputjson", "-p", f"{checker}.json",
         "--pythonpath", sys.executable],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )  # fmt: skip
    found: dict[str, set[int]] = {}
    for one in json.loads(ran.stdout)["generalDiagnostics"]:
        if one["severity"] == "error":
            found.setdefault(Path(one["file"]).name, set()).add(one["range"]["start"]["line"] + 1)
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("checker", ["mypy", "pyright", "basedpyright"])
def test_a_checker_accepts_what_is_right_and_flags_each_mistake(
    project: Path, checker: str
) -> None:
    found = flagged_by_mypy(project) if checker == "mypy" else flagged_by_pyright(project, checker)
    for style in STYLES:
        lines = (project / f"wrong_{style}.py").read_text().splitlines()
        mistakes = {number for number, line in enumerate(lines, 1) if MISTAKE in line}
        assert len(mistakes) >= 20
        flagged = found.pop(f"wrong_{style}.py")
        missed = [lines[number - 1].strip() for number in sorted(mistakes - flagged)]
        assert missed == []
        assert flagged == mistakes
    assert found == {}  # nothing in what is generated, nothing in what is right
