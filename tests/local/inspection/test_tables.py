"""Tables as a test sees and sets them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v


def backend() -> Functions:
    tasks = define_table({"text": v.string()}).index("by_text", ["text"])
    functions = Functions(define_schema({"tasks": tasks}))

    @functions.mutation("tasks:create")
    async def create(ctx: Any, text: str) -> Any:
        return await ctx.db.insert("tasks", {"text": text})

    @functions.query("tasks:list")
    async def list_tasks(ctx: Any) -> Any:
        return [
            task["text"] for task in await ctx.db.query("tasks").with_index("by_text").collect()
        ]

    return functions


async def test_a_table_is_a_sequence_of_its_documents_now() -> None:
    async with LocalDeployment(backend()) as deployment:
        table = deployment.tables["tasks"]
        assert len(table) == 0
        assert table == []
        first = await deployment.run("tasks:create", {"text": "b"})
        await deployment.run("tasks:create", {"text": "a"})
        assert [task["text"] for task in table] == ["b", "a"]
        assert table[0]["_id"] == first
        assert [task["text"] for task in table[-1:]] == ["a"]
        assert table == list(table)
        table[0]["text"] = "changed in the copy"
        assert table[0]["text"] == "b"
        assert list(deployment.tables) == ["tasks"]


async def test_documents_are_inserted_and_live_queries_see_it() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        async with client.subscribe("tasks:list") as live:
            assert await live.get() == []
            new = deployment.tables["tasks"].insert({"text": "x"})
            assert await live.until(bool, timeout=5) == ["x"]
        assert deployment.tables["tasks"][0]["_id"] == new
        with pytest.raises(ValueError, match="does not match the schema"):
            deployment.tables["tasks"].insert({"text": 1})


async def test_all_documents_are_set_at_once() -> None:
    async with LocalDeployment(backend()) as deployment:
        for text in "ab":
            deployment.tables["tasks"].insert({"text": text})
        a, b = deployment.tables["tasks"]
        deployment.tables["tasks"] = [{**b, "text": "b changed"}, {"text": "c"}]
        assert [task["text"] for task in deployment.tables["tasks"]] == ["b changed", "c"]
        assert deployment.tables["tasks"][0]["_id"] == b["_id"]
        assert await deployment.run("tasks:list") == ["b changed", "c"]
        with pytest.raises(ValueError, match="schema"):
            deployment.tables["tasks"] = [{"text": "d"}, {"text": 5}]
        assert await deployment.run("tasks:list") == ["b changed", "c"]
        # A document of before that is gone is made anew, as another one.
        deployment.tables["tasks"] = [a]
        assert deployment.tables["tasks"][0]["_id"] != a["_id"]


async def test_a_deployment_with_a_file_is_written_from_other_threads(tmp_path: Path) -> None:
    async with LocalDeployment(backend(), tmp_path / "data.sqlite3") as deployment:
        with pytest.raises(RuntimeError, match=r"deployment\.run"):
            deployment.tables["tasks"].insert({"text": "x"})
        await asyncio.to_thread(deployment.tables["tasks"].insert, {"text": "y"})
        assert [task["text"] for task in deployment.tables["tasks"]] == ["y"]
