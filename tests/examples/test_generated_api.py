"""The example with typed calls: its file is up to date, and a typo is flagged three times over."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from examples.generated_api.backend import functions

from convex_async.testing import ServedDeployment, serve

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "generated_api"
RIGHT, TYPO = "api.tasks.create(text=text)", "api.tasks.create(txet=text)"


def run(*command: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": f"{cwd}{os.pathsep}{ROOT / 'python'}",
            "MYPYPATH": str(ROOT / "python"),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_generated_file_is_up_to_date() -> None:
    ran = run(
        *("-m", "convex_async", "codegen", "--app", "examples.generated_api.backend:functions"),
        *("--style", "msgspec", "-o", "examples/generated_api/convex_api.py", "--check"),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_program_runs() -> None:
    with serve(functions) as deployment:
        ran = run(
            *("-m", "examples.generated_api.program", "Milk", "Bread"), CONVEX_URL=deployment.url
        )
    assert ran.stdout == "[x] Milk\n[ ] Bread\n", ran.stderr


@pytest.fixture
def mistaken(tmp_path: Path) -> tuple[Path, int]:
    """A copy of the example with a typo in an argument's name, and the typo's line."""
    copy = tmp_path / "examples" / "generated_api"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "examples" / "__init__.py").touch()
    text = (copy / "program.py").read_text()
    assert text.count(RIGHT) == 1
    (copy / "program.py").write_text(text.replace(RIGHT, TYPO))
    return tmp_path, text[: text.index(RIGHT)].count("\n") + 1


@pytest.mark.timeout(200)
def test_mypy_flags_a_typo_and_nothing_else(mistaken: tuple[Path, int]) -> None:
    folder, line = mistaken
    ran = run(
        *("-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(folder / "cache")),
        *("--python-version", "3.11", "examples/generated_api/program.py"),
        cwd=folder,
    )
    errors = re.findall(r"(\w+\.py):(\d+): error: (.*)", ran.stdout)
    assert {(name, int(at)) for name, at, _ in errors} == {("program.py", line)}, ran.stdout
    assert any('Unexpected keyword argument "txet"' in message for *_, message in errors)


@pytest.mark.timeout(200)
def test_pyright_flags_a_typo_and_nothing_else(mistaken: tuple[Path, int]) -> None:
    folder, line = mistaken
    (folder / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "extraPaths": [str(ROOT / "python")],
                "pythonVersion": "3.11",
                "typeCheckingMode": "standard",
                "include": ["examples/generated_api/program.py"],
            }
        )
    )
    ran = run("-m", "pyright", "--outputjson", "--pythonpath", sys.executable, cwd=folder)
    errors = [
        (one["range"]["start"]["line"] + 1, one["message"])
        for one in json.loads(ran.stdout)["generalDiagnostics"]
    ]
    assert {at for at, _ in errors} == {line}
    assert any('No parameter named "txet"' in message for _, message in errors)


def test_the_program_refuses_a_typo_before_anything_is_sent(mistaken: tuple[Path, int]) -> None:
    folder, line = mistaken
    with serve(functions) as deployment:
        ran = run(
            *("-m", "examples.generated_api.program", "Milk"),
            cwd=folder,
            CONVEX_URL=deployment.url,
        )
        called = asked(deployment)
    assert ran.returncode == 1
    assert f'program.py", line {line}, in main' in ran.stderr
    assert "TypeError: " in ran.stderr
    assert "unexpected keyword argument 'txet'" in ran.stderr
    assert called == []


def asked(deployment: ServedDeployment) -> list[str]:
    """The paths of the functions that were called."""
    return [str(call.path) for call in deployment.calls]
