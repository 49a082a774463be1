"""What the tests with the npm clients need."""

from __future__ import annotations

import subprocess

import pytest

from tests.interop.official import NPM, need


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The npm clients are installed, in the versions of the lock file."""
    need("node")
    need("npm")
    if not (NPM / "node_modules" / ".package-lock.json").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=NPM, check=True, timeout=300)
