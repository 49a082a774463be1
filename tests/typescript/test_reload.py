"""A folder that changes while it is served."""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.local.calls import until

QUERY = """
import {{ query }} from "./_generated/server";
export const version = query({{ args: {{}}, handler: async () => {version} }});
"""
CRONS = """
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";
const crons = cronJobs();
crons.interval("tick", { hours: 1 }, internal.ticks.tick, {});
export default crons;
"""
TICKS = """
import { internalMutation, query } from "./_generated/server";
export const tick = internalMutation({
  args: {},
  handler: async (ctx) => { await ctx.db.insert("ticks", {}); },
});
export const count = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("ticks").collect()).length,
});
"""
SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({ ticks: defineTable({ needed: v.string() }) });
"""


@pytest.fixture
def folder(app: Path, tmp_path: Path) -> Path:
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "node_modules").symlink_to(app.parent / "node_modules")
    folder = tmp_path / "convex"
    folder.mkdir()
    (folder / "versions.ts").write_text(QUERY.format(version=1))
    (folder / "ticks.ts").write_text(TICKS)
    return folder


@pytest.fixture
async def deployment(folder: Path) -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment.from_folder(folder, reload=True) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=20, close_timeout=0.5) as client:
        yield client


async def test_live_queries_run_again_with_the_new_functions(
    folder: Path, client: ConvexClient
) -> None:
    async with client.subscribe("versions:version") as live:
        updates = aiter(live)
        assert await anext(updates) == 1
        (folder / "versions.ts").write_text(QUERY.format(version=2))
        assert await anext(updates) == 2
        (folder / "versions.ts").write_text(QUERY.format(version=3))
        assert await anext(updates) == 3


async def test_what_can_not_be_loaded_is_told_and_changes_nothing(
    folder: Path, client: ConvexClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "convex_async.local")
    # Once it has answered a change, it surely watches.
    async with client.subscribe("versions:version") as live:
        (folder / "versions.ts").write_text(QUERY.format(version=1) + "// changed")
        await anext(aiter(live))
    (folder / "versions.ts").write_text("export const = 1;\nexport const x = 2;\n")
    await until(lambda: "versions.ts:1:13" in caplog.text)
    assert await client.query("versions:version") == 1
    (folder / "versions.ts").write_text(QUERY.format(version=2))
    async with client.subscribe("versions:version") as live:
        async for version in live:
            if version == 2:
                break


async def test_crons_and_the_schema_are_swapped_and_checked(
    folder: Path, client: ConvexClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.subscribe("ticks:count") as live:
        updates = aiter(live)
        assert await anext(updates) == 0
        (folder / "crons.ts").write_text(CRONS)
        assert await anext(updates) == 1
    caplog.set_level(logging.ERROR, "convex_async.local")
    (folder / "schema.ts").write_text(SCHEMA)
    await until(lambda: "ticks" in caplog.text)
    assert await client.query("ticks:count") == 1


async def test_reload_finds_functions_that_are_new(
    folder: Path, client: ConvexClient, deployment: LocalDeployment
) -> None:
    async with client.subscribe("versions:version") as live:
        updates = aiter(live)
        assert await anext(updates) == 1
        shutil.copy(folder / "versions.ts", folder / "further.ts")
        (folder / "versions.ts").write_text(QUERY.format(version=2))
        async for version in updates:
            if version == 2:
                break
    assert await client.query("further:version") == 1
    assert "further:version" in {function.path for function in deployment.functions}
