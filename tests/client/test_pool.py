"""One socket a user: shared, closed when idle, and never more than the limit."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from convex_async import AuthError, ClientClosedError, ClientPool, ConvexClient, RequestTimeoutError
from convex_async.local import LocalDeployment


async def me(pool: ClientPool, deployment: LocalDeployment, user: str) -> str | None:
    async with pool.client(user, auth=deployment.issue_token(user)) as client:
        found: str | None = await client.query("users:me")
        return found


async def until(deployment: LocalDeployment, connections: int) -> None:
    async with asyncio.timeout(5):
        while deployment.faults.connections != connections:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)


async def test_requests_of_a_user_share_a_socket(deployment: LocalDeployment) -> None:
    async with ClientPool(deployment.url) as pool:
        users = ["ada", "bob", "ada", "bob", "ada"]
        assert await asyncio.gather(*(me(pool, deployment, user) for user in users)) == users
        assert len(pool) == 2
        assert deployment.faults.connections == 2
        assert repr(pool) == "<ClientPool of 2 clients, 2 idle>"
        assert await me(pool, deployment, "ada") == "ada"
        assert deployment.faults.connections == 2
    await until(deployment, 0)


async def test_an_idle_client_is_closed(deployment: LocalDeployment) -> None:
    async with ClientPool(deployment.url, idle_timeout=0.05) as pool:
        async with pool.client("ada") as client:
            await client.query("users:me")
            await asyncio.sleep(0.1)  # in use, it stays
            assert len(pool) == 1
        await until(deployment, 0)
        assert len(pool) == 0
        assert await me(pool, deployment, "ada") == "ada"


async def test_at_the_limit_idle_ones_go_first_then_callers_wait(
    deployment: LocalDeployment,
) -> None:
    async with ClientPool(deployment.url, max_clients=2) as pool:
        for user in ("ada", "bob", "eve"):
            assert await me(pool, deployment, user) == user
            assert len(pool) <= 2
        assert pool.idle == 2
        async with AsyncExitStack() as stack:
            eve = await stack.enter_async_context(pool.client("eve"))
            await stack.enter_async_context(pool.client("bob"))
            async with pool.client("eve") as same:  # no new one is needed
                assert same is eve
            with pytest.raises(RequestTimeoutError, match="all 2 clients") as caught:
                async with pool.client("ada", timeout=0.05):
                    pass
            assert caught.value.outcome == "not_sent"
            order: list[str] = []

            async def use(user: str) -> None:
                async with pool.client(user, timeout=5):
                    order.append(user)
                    await asyncio.sleep(0)

            waiting = [asyncio.create_task(use(user)) for user in ("x", "y", "z")]
            cancelled = asyncio.create_task(use("never"))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.sleep(0.05)
            assert order == []
        await asyncio.gather(*waiting)
        assert order == ["x", "y", "z"]
        assert len(pool) == 2


async def test_a_client_that_came_to_its_end_is_replaced(deployment: LocalDeployment) -> None:
    async with ClientPool(deployment.url) as pool:
        async with pool.client("ada") as client:
            await client.close()
        async with pool.client("ada") as client:
            assert await client.query("users:me") is None


async def test_a_newer_token_and_a_refused_one(deployment: LocalDeployment) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        return deployment.issue_token("ada", n=2)

    async with ClientPool(deployment.url) as pool:
        async with pool.client("ada", auth="no.such.token") as client:
            with pytest.raises(AuthError):
                await client.query("users:me")
        async with pool.client("ada", auth=fetch) as same:
            assert same is client
            assert await same.query("users:me") == "ada"


async def test_a_closed_pool_refuses_and_ends_waits(deployment: LocalDeployment) -> None:
    pool = ClientPool(deployment.url, max_clients=1)

    async def use() -> ConvexClient:
        async with pool.client("bob") as client:
            return client

    async with pool.client("ada") as client:
        await client.query("users:me")
        waiting = asyncio.create_task(use())
        await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(ClientClosedError):
            await waiting
        with pytest.raises(ClientClosedError):
            await client.query("users:me")
    with pytest.raises(ClientClosedError):
        await use()
    with pytest.raises(ValueError, match="max_clients"):
        ClientPool(deployment.url, max_clients=0)
