"""The official clients, unchanged, against the local deployment; ours sees what they do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions

HERE = Path(__file__).parent
NPM = HERE / "npm"

pytestmark = pytest.mark.interop


def need(tool: str) -> None:
    """Skip without the tool; in CI, that is a failure."""
    if shutil.which(tool) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{tool} is missing")
        pytest.skip(f"{tool} is not installed")


@pytest.fixture(scope="module")
def node_modules() -> Path:
    need("npm")
    if not (NPM / "node_modules" / "convex").exists():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=NPM, check=True, timeout=300
        )
    return NPM / "node_modules"


async def run(command: list[str], name: str) -> dict[str, list[Any]]:
    """Run an official client beside ours; what it told, by kind.

    Each client adds a note, and waits for the note that ours adds then.
    """
    async with (
        LocalDeployment(make_functions()) as deployment,
        ConvexClient(deployment.url) as client,
    ):
        process = await asyncio.create_subprocess_exec(
            *command, deployment.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        told: dict[str, list[Any]] = {}
        assert process.stdout is not None
        assert process.stderr is not None
        async with client.subscribe("notes:list") as notes:
            async for line in process.stdout:
                if not line.startswith(b"{"):
                    continue  # the clients print what functions log
                event = json.loads(line)
                told.setdefault(event["what"], []).append(event["value"])
                if event["what"] == "ready":
                    now = await notes.until(lambda notes: len(notes) == 1, timeout=10)
                    assert now[0]["text"] == name
                    await client.mutation("notes:add", {"text": "from here"})
        errors = await process.stderr.read()
        assert await process.wait() == 0, errors.decode()
        assert told["update"][-1] == [name, "from here"]
        return told


@pytest.mark.timeout(120)
async def test_pypi_clients() -> None:
    told = await run([sys.executable, str(HERE / "pypi_smoke.py")], "from PyPI")
    assert told["values"] == [[True] * 3]
    assert told["error"] == [{"data": {"code": "EMPTY"}}] * 2
    assert told["http"] == [2]


@pytest.mark.timeout(300)
async def test_npm_clients(node_modules: Path) -> None:
    need("node")
    told = await run(["node", str(NPM / "smoke.cjs")], "from npm")
    assert told["values"] == [[True] * 4]
    assert [error["data"] for error in told["error"]] == [{"code": "EMPTY"}] * 2
    assert told["http"] == [2]
