"""What runs TypeScript, and what it may know."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from convex_async.local.typescript.toolchain import LoadError, find_command, process_env


def test_processes_see_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "s3cret")
    monkeypatch.setenv("HOME", "/home/ada")
    env = process_env()
    assert "s3cret" not in env.values()
    assert (env["HOME"], env["TZ"]) == ("/home/ada", "UTC")


@pytest.mark.parametrize(("version", "is_told"), [("v18.1.0", True), (None, False)])
def test_without_node_and_deno_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str | None, is_told: bool
) -> None:
    if version is not None:
        node = tmp_path / "node"
        node.write_text(f"#!/bin/sh\necho {version}\n")
        node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(LoadError, match="need Node 20") as caught:
        find_command()
    assert ("Node 18" in str(caught.value)) is is_told
