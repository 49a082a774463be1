"""Which calls are noted, and what a failed assertion about them shows."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexClient, FunctionError
from convex_async.local import Functions, LocalDeployment
from convex_async.local.engine.calls import FunctionCall


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("tasks:create")
    async def create(ctx: Any, text: str) -> Any:
        return await ctx.db.insert("tasks", {"text": text})

    @functions.query("tasks:list")
    async def list_tasks(ctx: Any) -> Any:
        return await ctx.db.query("tasks").collect()

    @functions.action("tasks:import")
    async def import_tasks(ctx: Any) -> None:
        await ctx.run_mutation("tasks:create", {"text": "imported"})

    return functions


async def test_calls_are_noted_in_order_with_their_arguments() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        await client.mutation("tasks:create", {"text": "x"})
        await client.action("tasks:import")
        seen = [(call.kind, call.path, call.args) for call in deployment.calls]
        assert seen == [
            ("mutation", "tasks:create", {"text": "x"}),
            ("action", "tasks:import", {}),
            ("mutation", "tasks:create", {"text": "imported"}),
        ]
        deployment.assert_called("tasks:create")
        deployment.assert_called("tasks.js:create", {"text": "x"}, times=1)
        deployment.assert_called("tasks:create", times=2)
        deployment.assert_called("tasks:list", times=0)


async def test_a_live_query_is_one_call_however_often_it_runs() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        async with client.subscribe("tasks:list") as tasks:
            await tasks.get()
            for _ in range(3):
                await client.mutation("tasks:create", {"text": "x"})
            await tasks.until(lambda now: len(now) == 3, timeout=5)
        deployment.assert_called("tasks:list", times=1)
        deployment.assert_called("tasks:create", {"text": "x"}, times=3)


async def test_a_mutation_that_is_sent_again_is_one_call() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        deployment.faults.drop_after_commit = 1
        await client.mutation("tasks:create", {"text": "x"})
        deployment.assert_called("tasks:create", times=1)


async def test_a_failed_assertion_shows_the_calls_there_were() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        with pytest.raises(AssertionError, match="Nothing was called"):
            deployment.assert_called("tasks:create")
        await client.mutation("tasks:create", {"text": "x"})
        with pytest.raises(AssertionError) as caught:
            deployment.assert_called("tasks:create", {"text": "y"}, times=1)
        assert str(caught.value) == (
            'tasks:create {"text":"y"} was to be called once, and was called never.\n'
            "The calls of tasks:create there were:\n"
            '  <mutation tasks:create {"text":"x"}>'
        )
        with pytest.raises(AssertionError, match="was to be called never, and was called once"):
            deployment.assert_called("tasks:create", times=0)
        with pytest.raises(AssertionError, match="The calls there were:\n  <mutation tasks:create"):
            deployment.assert_called("tasks:list")


async def test_calls_that_fail_are_noted_too() -> None:
    async with LocalDeployment(backend()) as deployment, ConvexClient(deployment.url) as client:
        with pytest.raises(FunctionError):
            await client.mutation("nobody:here", {"a": 1})
        deployment.assert_called("nobody:here", {"a": 1.0}, times=1)


def test_long_arguments_are_cut() -> None:
    assert len(repr(FunctionCall("query", "a:b", b'"' + b"x" * 10_000 + b'"'))) < 300


async def test_nothing_is_noted_where_it_is_not_wanted() -> None:
    async with LocalDeployment(backend(), record_calls=False) as deployment:
        await deployment.run("tasks:create", {"text": "x"})
        assert deployment.calls == []
