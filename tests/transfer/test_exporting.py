"""A file appears whole, or stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import Functions, LocalDeployment
from convex_async.transfer.exporting import export_lines


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("rows:add")
    async def add(ctx: Any, n: float) -> None:
        await ctx.db.insert("rows", {"n": n})

    @functions.query("rows:page")
    async def page(ctx: Any, paginationOpts: Any, failing: bool = False) -> Any:
        if failing and paginationOpts["cursor"] is not None:
            raise ValueError("no second page")
        return await ctx.db.query("rows").paginate(paginationOpts)

    return functions


async def test_all_pages_or_nothing(tmp_path: Path) -> None:
    target, told = tmp_path / "rows.jsonl", list[int]()
    async with (
        LocalDeployment(backend()) as deployment,
        ConvexClient(deployment.url) as client,
    ):
        for n in range(5):
            await client.mutation("rows:add", {"n": n})
        count = await export_lines(
            client, "rows:page", None, target, page_size=2, progress=told.append
        )
        lines = target.read_bytes()
        assert [msgspec.json.decode(line)["n"] for line in lines.splitlines()] == list(range(5))
        assert count == told[-1] == 5
        with pytest.raises(FunctionError):
            await export_lines(client, "rows:page", {"failing": True}, target, page_size=2)
    assert target.read_bytes() == lines
    assert not target.with_name("rows.jsonl.part").exists()
