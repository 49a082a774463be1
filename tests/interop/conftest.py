"""What the tests with the official clients need."""

from __future__ import annotations

import fcntl
import subprocess

import pytest

from tests.interop.official import NPM, ROOT, need


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The npm clients are installed, in the versions of the lock file."""
    need("node")
    need("npm")
    with (tmp_path_factory.getbasetemp().parent / "npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes, one installs
        if not (NPM / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=NPM, check=True, timeout=300)


@pytest.fixture(scope="session")
def rust_peer() -> None:
    """The program for the Rust client is built; cargo lets one build wait for another."""
    need("cargo")
    command = ["cargo", "build", "--quiet", "--locked", "-p", "convex-async-rust-peer"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
