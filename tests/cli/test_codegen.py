"""`convex-async codegen` as a process, from each source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convex_async.testing import ServedDeployment
from tests.cli.commands import BACKEND, run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def test_an_app_and_a_deployment_give_one_file(project: Path, served: ServedDeployment) -> None:
    ran = run("codegen", "--app", "backend:functions", cwd=project)
    assert ran.returncode == 0, ran.stderr
    text = (project / "convex_api.py").read_text()
    assert text.startswith("# Written by convex-async codegen from backend:functions")
    assert "def _notes_add(" in text
    asked = run("codegen", "-o", "-", "--url", served.url, CONVEX_DEPLOY_KEY=served.admin_key)
    assert asked.stdout.split("\n")[1:] == text.split("\n")[1:]
    assert served.admin_key not in asked.stdout + asked.stderr
    assert run("codegen", "--url", served.url, cwd=project).returncode == 2


def test_check_shows_the_difference(project: Path) -> None:
    arguments = ("codegen", "--app", "backend:functions", "--style", "msgspec")
    assert run(*arguments, cwd=project).returncode == 0
    assert run(*arguments, "--check", cwd=project).returncode == 0
    (project / "backend.py").write_text(BACKEND.replace("notes:big", "notes:large"))
    ran = run(*arguments, "--check", cwd=project)
    assert ran.returncode == 1
    assert "+def _notes_large(" in ran.stdout
    assert "-def _notes_big(" in ran.stdout


def test_a_specification_and_settings(project: Path) -> None:
    function = {"functionType": "Query", "identifier": "a.js:b", "args": {"type": "any"}}
    (project / "spec.json").write_text(json.dumps({"url": "x", "functions": [function]}))
    (project / "pyproject.toml").write_text(
        '[tool.convex-async.codegen]\nspec = "spec.json"\noutput = "out.py"\nstyle = "pydantic"\n'
    )
    ran = run("codegen", cwd=project)
    assert ran.returncode == 0, ran.stderr
    assert "# Style pydantic" in (project / "out.py").read_text()
    (project / "pyproject.toml").write_text("[tool.convex-async.codegen]\nspce = 1\n")
    assert "no setting 'spce'" in run("codegen", cwd=project).stderr
    (project / "spec.json").write_text("[5]")
    assert run("codegen", "--spec", "spec.json", "--config", "no", cwd=project).returncode == 2
