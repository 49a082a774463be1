"""What a list of processes would show is taken out of sight."""

from __future__ import annotations

import os
import sys

import pytest

from convex_async.cli.secrets import out_of_sight


@pytest.mark.parametrize("given", [["--token", "s3cret"], ["--token=s3cret"]])
def test_a_secret_moves_to_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, argv: ran.append(argv))
    monkeypatch.setenv("CONVEX_AUTH_TOKEN", "another")
    out_of_sight(["convex-async", "run", *given, "notes:list"])
    assert ran == [[sys.executable, "-m", "convex_async", "run", "notes:list"]]
    assert os.environ["CONVEX_AUTH_TOKEN"] == "s3cret"


def test_a_command_without_secrets_just_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, argv: ran.append(argv))
    out_of_sight(["convex-async", "run", "notes:list", "text=--token"])
    assert ran == []
