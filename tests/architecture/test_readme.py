"""Every Python block of the README runs, against a deployment that has what it calls."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexError
from convex_async.local import Functions, LocalDeployment, v

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)

functions = Functions()


@functions.query("tasks:list")
async def list_tasks(ctx: Any) -> Any:
    return await ctx.db.query("tasks").order("desc").collect()


@functions.mutation("tasks:create", args={"text": v.string()})
async def create(ctx: Any, text: str) -> Any:
    if not text:
        raise ConvexError({"code": "EMPTY"})
    return await ctx.db.insert("tasks", {"text": text, "isCompleted": False})


GUARANTEES = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "README.md").read_text())


def test_there_are_guarantees() -> None:
    assert len(GUARANTEES) >= 20


@pytest.mark.parametrize(("file", "name"), GUARANTEES, ids=[name for _, name in GUARANTEES])
def test_the_proof_of_a_guarantee_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async def|def|class) {name}\b", (ROOT / file).read_text(), re.M)


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
async def test_a_block_of_the_readme_runs(block: str) -> None:
    async with LocalDeployment(functions) as deployment:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-W", "error", "-c", block),
            env={**os.environ, "CONVEX_URL": deployment.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
