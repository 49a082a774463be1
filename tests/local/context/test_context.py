"""The contexts that functions take, under the names that their authors annotate with."""

from __future__ import annotations

from convex_async import ConvexClient
from convex_async.local import (
    ActionContext,
    Functions,
    LocalDeployment,
    MutationContext,
    QueryContext,
)


async def test_each_kind_of_function_gets_the_context_of_its_public_name() -> None:
    functions = Functions()

    @functions.query(path="a:q")
    async def q(ctx: QueryContext) -> bool:
        return type(ctx) is QueryContext

    @functions.mutation(path="a:m")
    async def m(ctx: MutationContext) -> bool:
        return type(ctx) is MutationContext

    @functions.action(path="a:a")
    async def a(ctx: ActionContext) -> bool:
        return type(ctx) is ActionContext

    async with LocalDeployment(functions) as local, ConvexClient(local.url) as client:
        assert await client.query("a:q") is True
        assert await client.mutation("a:m") is True
        assert await client.action("a:a") is True
