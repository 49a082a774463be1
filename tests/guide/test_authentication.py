"""The guide: "Authentication", pitfalls 4 and 5."""

from __future__ import annotations

import gc
import warnings

import pytest

from convex_async import AuthError, ConvexClient, ConvexError, ConvexHttpClient, FunctionError
from convex_async.local import LocalDeployment


async def test_a_token_from_an_auth_provider(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    client.set_auth(deployment.issue_token("user123"))
    assert await client.query("users:getCurrentUser") == {"subject": "user123"}
    await client.mutation("tasks:create", {"text": "mine"})
    assert [task["text"] for task in await client.query("tasks:myTasks")] == ["mine"]


async def test_a_fetcher_of_tokens(deployment: LocalDeployment) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        return deployment.issue_token("user123")

    async with ConvexClient(deployment.url, auth=fetch) as client:
        assert await client.query("users:getCurrentUser") == {"subject": "user123"}


async def test_subscriptions_follow_the_user(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    async with client.subscribe("users:getCurrentUser") as user:
        assert await user.get() is None
        client.set_auth(deployment.issue_token("ada"))
        assert await user.until(lambda found: found) == {"subject": "ada"}
        client.clear_auth()
        assert await user.until(lambda found: found is None) is None


async def test_admin_authentication(deployment: LocalDeployment, client: ConvexClient) -> None:
    with pytest.raises(FunctionError, match="Could not find"):
        await client.mutation("internal:adminOperation", {"note": "as nobody"})
    client.set_admin_auth(deployment.admin_key)
    assert await client.mutation("internal:adminOperation", {"note": "as admin"}) == "done"


async def test_clearing_authentication(deployment: LocalDeployment, client: ConvexClient) -> None:
    client.set_auth(deployment.issue_token("user123"))
    assert await client.query("users:getCurrentUser") is not None
    client.set_auth(None)
    assert await client.query("users:getCurrentUser") is None
    with pytest.raises(ConvexError, match="Unauthorized"):
        await client.query("tasks:myTasks")


async def test_a_bad_token_is_told(client: ConvexClient) -> None:
    client.set_auth("not.a.token")
    with pytest.raises(AuthError):
        await client.query("tasks:list")


async def test_closing_right_after_a_refusal_leaves_no_socket(
    deployment: LocalDeployment,
) -> None:
    async with ConvexClient(deployment.url, auth="not.a.token") as client:
        with pytest.raises(AuthError):
            await client.query("tasks:list")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_one_user_a_request_over_http(deployment: LocalDeployment) -> None:
    async with ConvexHttpClient(deployment.url) as client:
        for name in ("ada", "grace"):
            user = client.with_auth(deployment.issue_token(name))
            assert await user.query("users:getCurrentUser") == {"subject": name}
        assert await client.query("users:getCurrentUser") is None
        client.set_auth("not.a.token")
        with pytest.raises(AuthError):
            await client.query("tasks:list")
        client.set_admin_auth(deployment.admin_key)
        assert await client.mutation("internal:adminOperation", {"note": "x"}) == "done"


async def test_the_backend_checks_who_calls(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """Pitfall 4: a function must not trust its arguments to say who the caller is."""
    with pytest.raises(ConvexError, match="Unauthorized"):
        await client.mutation("users:deleteAccount")
    client.set_auth(deployment.issue_token("ada"))
    with pytest.raises(ConvexError, match="User not found"):
        await client.mutation("users:deleteAccount")
    await client.mutation("users:register", {"name": "Ada", "email": "ada@example.com"})
    assert await client.mutation("users:deleteAccount") is None
