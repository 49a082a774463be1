"""The guide's blocking programs: unchanged but for one import; PyPI `convex` prints the same."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guide.backend import functions
from tests.sync.served import served

EXPECTED = """\
True
{'userId': 'abc123'}
books None
About Explain quantum computing: it is complicated.
[]
Tasks updated: 0 items
Tasks updated: 1 items
Tasks updated: 2 items
Channel has 0 messages
{'subject': 'user123'}
None
done
ConvexInt64 1152921504606846976
Only 10 items available
Product not found
Error: plain text
Unexpected error
Fetched 50 messages
Fetched 10 messages
60
True 3
True 3
a task needs a text
watched
"""


def run(module: str, timeout: float) -> subprocess.CompletedProcess[str]:
    with served(functions) as deployment:
        return subprocess.run(
            [sys.executable, str(Path(__file__).with_name("program.py")), module],
            env={
                **os.environ,
                "CONVEX_URL": deployment.url,
                "TOKEN": deployment.issue_token("user123"),
                "ADMIN_KEY": deployment.admin_key,
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def test_the_program_runs_by_changing_its_import() -> None:
    program = run("convex_async.sync", timeout=50)
    assert program.stderr == ""
    assert program.stdout == EXPECTED
    assert program.returncode == 0


@pytest.mark.interop
def test_it_is_a_program_for_pypi_convex() -> None:
    if importlib.util.find_spec("convex") is None:
        pytest.skip("PyPI convex is not installed")
    for _ in range(3):
        try:
            program = run("convex", timeout=15)
        except subprocess.TimeoutExpired:
            continue  # that client stands still for good now and then
        break
    else:
        pytest.skip("PyPI convex stood still three times")
    # It shows the functions' logs without being asked.
    lines = program.stdout.splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith("[LOG]")) == EXPECTED
