"""`with LocalDeployment(...)` in synchronous code: a thread of its own, with schema and file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexError, FunctionError
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v
from convex_async.sync import ConvexClient


def backend() -> Functions:
    functions = Functions(define_schema({"notes": define_table({"text": v.string()})}))

    @functions.mutation("notes:add", args={"text": v.string()})
    async def add(ctx: Any, text: str) -> None:
        if not text:
            raise ConvexError({"code": "EMPTY"})
        await ctx.db.insert("notes", {"text": text})

    @functions.query("notes:list")
    async def notes(ctx: Any) -> list[str]:
        return [note["text"] for note in await ctx.db.query("notes").collect()]

    @functions.mutation("notes:later")
    async def later(ctx: Any) -> None:
        await ctx.scheduler.run_after(60, "notes:add", {"text": "later"})

    return functions


def deployment_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("convex-async deployment")]


def test_synchronous_code_runs_it_on_a_thread(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite"
    with LocalDeployment(backend(), path) as deployment, ConvexClient(deployment.url) as client:
        assert deployment_threads()
        client.mutation("notes:add", {"text": "now"})
        assert deployment.run("notes:list") == ["now"]
        with pytest.raises(ConvexError) as caught:
            deployment.run("notes:add", {"text": ""})
        assert caught.value.data == {"code": "EMPTY"}
        with pytest.raises(FunctionError):
            deployment.run("notes:add", {"text": 1})
        deployment.run("notes:later")
        deployment.advance(60)
        assert client.query("notes:list") == ["now", "later"]
        assert [note["text"] for note in deployment.tables["notes"]] == ["now", "later"]
        deployment.assert_called("notes:later", times=1)
    assert not deployment_threads()
    # The file is free again, and a deployment can be entered anew.
    again = LocalDeployment(backend(), path)
    for _ in range(2):
        with again as deployment:
            assert deployment.run("notes:list") == ["now", "later"]


def test_what_can_not_start_raises_here(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite"
    with LocalDeployment(backend(), path):
        with pytest.raises(OSError, match="open in another deployment"):
            LocalDeployment(backend(), path).__enter__()
        assert len(deployment_threads()) == 1


async def test_a_loop_is_not_blocked() -> None:
    with pytest.raises(RuntimeError, match="async with LocalDeployment"):
        LocalDeployment(backend()).__enter__()
    assert not deployment_threads()
