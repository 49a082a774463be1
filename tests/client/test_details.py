"""Calls that tell more than their value, and calls with arguments that are always there."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexClient, ConvexError
from convex_async.client.details import request_id_of
from convex_async.local import Functions, LocalDeployment, v


async def test_a_successful_call_tells_its_details(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    deployment.faults.transition_first = True
    added = await client.with_details.mutation("notes:add", {"text": "a"}, type=str)
    assert added.log_lines == ("[LOG] 'adding a'",)
    assert added.ts is not None
    assert added.ts <= client.state.max_observed_ts
    assert added.seconds > 0
    listed = await client.with_details.query("notes:list")
    assert [note["_id"] for note in listed.value] == [added.value]
    assert listed.ts is not None
    assert listed.ts >= added.ts
    assert listed.request_id is None
    echoed = await client.with_details.action("notes:echo", {"value": 1})
    assert (echoed.value, echoed.ts) == (1, None)
    assert echoed.request_id is not None
    assert len(echoed.request_id) == 16
    assert echoed.request_id != added.request_id
    with pytest.raises(ConvexError):
        await client.with_details.mutation("notes:add", {"text": ""})


async def test_a_mutations_time_survives_the_loss_of_its_answer(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.drop_after_commit = 1
    added = await client.with_details.mutation("notes:add", {"text": "a"})
    later = await client.with_details.mutation("notes:add", {"text": "b"})
    assert added.ts is not None
    assert later.ts is not None
    assert 0 < added.ts < later.ts
    assert client.state.connection_count == 2


def test_the_id_of_a_request_is_the_deployments() -> None:
    # sha256("5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11|7"), its first 16 digits, by coreutils.
    assert request_id_of("5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11", 7) == "486ef7fb726678f5"


async def test_bound_arguments_go_with_every_call() -> None:
    functions = Functions()

    def guarded(secret: str) -> None:
        if secret != "s3cret":
            raise ConvexError({"code": "WRONG_SECRET"})

    @functions.query("notes:list", args={"secret": v.string()})
    async def list_notes(ctx: Any, secret: str) -> Any:
        guarded(secret)
        return [note["text"] for note in await ctx.db.query("notes").collect()]

    @functions.query("notes:page", args={"secret": v.string(), "paginationOpts": v.any()})
    async def page(ctx: Any, secret: str, paginationOpts: Any) -> Any:
        guarded(secret)
        return await ctx.db.query("notes").paginate(paginationOpts)

    @functions.mutation("notes:add", args={"secret": v.string(), "texts": v.array(v.string())})
    async def add(ctx: Any, secret: str, texts: list[str]) -> None:
        guarded(secret)
        for text in texts:
            await ctx.db.insert("notes", {"text": text})

    @functions.action("notes:echo", args={"secret": v.string()})
    async def echo(ctx: Any, secret: str) -> str:
        return secret

    async with LocalDeployment(functions) as deployment, ConvexClient(deployment.url) as client:
        bound = client.bind(secret="wrong").bind(secret="s3cret")
        assert "s3cret" not in repr(bound)
        assert bound.client is client
        await bound.mutation("notes:add", {"texts": ["a"]})
        assert [r async for r in bound.mutation_batches("notes:add", ["b"], key="texts")] == [None]
        assert await bound.query("notes:list") == ["a", "b"]
        assert await bound.action("notes:echo") == "s3cret"
        assert await bound.action("notes:echo", {"secret": "own"}) == "own"
        assert await bound.subscribe("notes:list").get() == ["a", "b"]
        view = bound.subscribe_all({"one": "notes:list", "two": ("notes:list", {})})
        assert await view.get() == {"one": ["a", "b"], "two": ["a", "b"]}
        assert len([note async for note in bound.paginate("notes:page")]) == 2
        assert len(await bound.paginate_live("notes:page").get()) == 2
        with pytest.raises(ConvexError):
            await client.bind(secret="wrong").query("notes:list")
