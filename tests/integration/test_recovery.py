"""After a bad moment the client is where it would have been without: same user, same queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from convex_async import AuthError, ClientState, ConvexClient, RequestTimeoutError
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import Add, Authenticate, ClientMessage, ModifyQuerySet, Remove
from tests.integration.backend import make_functions


def changes(frames: list[ClientMessage]) -> list[Add | Remove]:
    return [
        change
        for frame in frames
        if isinstance(frame, ModifyQuerySet)
        for change in frame.modifications
    ]


async def reconnected(client: ConvexClient, count: int) -> None:
    async for state in client.states():
        if state.is_connected and state.connection_count == count:
            return


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going away"), (1011, "InternalServerError"), (1013, "CommitterFullError")],
)
async def test_a_subscription_outlives_every_close_code(
    deployment: LocalDeployment, client: ConvexClient, code: int, reason: str
) -> None:
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    assert deployment.faults.close(code, reason) == 1
    await client.mutation("notes:add", {"text": "1"})
    assert [note["text"] for note in await anext(notes)] == ["1"]
    assert client.state.connection_count == 2


async def test_a_drop_while_nothing_is_asked_repeats_nothing(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    notes = client.subscribe("notes:list", buffer=10)
    assert await anext(notes) == []
    for count in (2, 3):
        deployment.faults.drop()
        await reconnected(client, count)
        await client.mutation("notes:touch")
    await deployment.run("notes:add", {"text": "1"})
    assert len(await anext(notes)) == 1


async def test_calls_and_subscriptions_outlive_a_restart_of_the_deployment(tmp_path: Path) -> None:
    deployment = LocalDeployment(make_functions(), tmp_path / "data.sqlite3")
    await deployment.start()
    try:
        async with ConvexClient(deployment.url, timeout=20, close_timeout=0.5) as client:
            notes = client.subscribe("notes:list")
            assert await anext(notes) == []
            await client.mutation("notes:add", {"text": "before"})
            assert len(await anext(notes)) == 1
            await deployment.close()
            adding = asyncio.create_task(client.mutation("notes:add", {"text": "meanwhile"}))
            await deployment.start()
            await adding
            texts = [note["text"] for note in await anext(notes)]
            assert texts == ["before", "meanwhile"]
    finally:
        await deployment.close()


async def test_a_lingering_query_is_taken_up_again_without_a_word(
    client: ConvexClient, frames: list[ClientMessage]
) -> None:
    with_linger = client.subscribe("notes:list", linger=30)
    assert await anext(with_linger) == []
    with_linger.close()
    await client.mutation("notes:add", {"text": "1"})
    again = client.subscribe("notes:list")
    assert len(await asyncio.wait_for(anext(again), 1)) == 1
    assert [type(change) for change in changes(frames)] == [Add]


async def test_a_query_leaves_when_its_linger_is_over(
    client: ConvexClient, frames: list[ClientMessage]
) -> None:
    subscription = client.subscribe("notes:list", linger=0.1)
    assert await anext(subscription) == []
    subscription.close()
    await client.mutation("notes:touch")
    assert [type(change) for change in changes(frames)] == [Add]
    await asyncio.sleep(0.15)  # the linger itself is what is waited for
    await client.mutation("notes:touch")
    assert [type(change) for change in changes(frames)] == [Add, Remove]


async def first_state(client: ConvexClient, wanted: Callable[[ClientState], bool]) -> None:
    async with asyncio.timeout(5), aclosing(client.states()) as states:
        async for state in states:
            if wanted(state):
                return


async def test_states_tell_of_a_request_that_comes_and_is_withdrawn(
    deployment: LocalDeployment,
) -> None:
    async def fetch(*, force_refresh: bool) -> str | None:
        await asyncio.Event().wait()
        return None

    # Without a token nothing is sent, so that no message wakes the states by chance.
    async with ConvexClient(deployment.url, auth=fetch, close_timeout=0) as client:
        await client.connect()
        async with asyncio.timeout(5), aclosing(client.states()) as states:
            assert (await anext(states)).pending_requests == 0
            adding = asyncio.create_task(client.mutation("notes:touch", timeout=0.1))
            assert (await anext(states)).pending_requests == 1
            withdrawn = asyncio.ensure_future(anext(states))
            with pytest.raises(RequestTimeoutError):
                await adding
            assert (await withdrawn).pending_requests == 0


async def test_states_tell_of_an_answer(client: ConvexClient) -> None:
    await client.connect()
    async with asyncio.timeout(5), aclosing(client.states()) as states:
        assert (await anext(states)).pending_requests == 0
        adding = asyncio.create_task(client.mutation("notes:touch"))
        assert (await anext(states)).pending_requests == 1
        async for state in states:
            if state.pending_requests == 0:
                break
        await adding


async def test_states_tell_when_a_new_socket_has_proved_good(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    notes = client.subscribe("notes:list")
    assert await anext(notes) == []
    deployment.faults.delay = 0.1
    deployment.faults.drop()
    await first_state(client, lambda state: state.is_connected and state.retries == 1)
    await first_state(client, lambda state: state.is_connected and state.retries == 0)
    assert client.state.connection_count == 2


# Identity


async def test_after_a_reconnect_nobody_is_anonymous_for_a_moment(
    deployment: LocalDeployment, client: ConvexClient, frames: list[ClientMessage]
) -> None:
    client.set_auth(deployment.issue_token("ada"))
    me = client.subscribe("users:me", buffer=10)
    assert await anext(me) == "ada"
    for count in (2, 3):
        frames.clear()
        deployment.faults.drop()
        await reconnected(client, count)
        assert await client.query("users:me") == "ada"
        kinds = [type(frame) for frame in frames]
        assert kinds.index(Authenticate) < kinds.index(ModifyQuerySet)
    client.set_auth(deployment.issue_token("bob"))
    assert await anext(me) == "bob"


@pytest.fixture
async def forced(deployment: LocalDeployment) -> AsyncIterator[tuple[ConvexClient, list[bool]]]:
    """A client whose fetcher has one bad token in its cache, and what it was asked for."""
    asked: list[bool] = []

    async def fetch(*, force_refresh: bool) -> str | None:
        asked.append(force_refresh)
        return deployment.issue_token("ada") if force_refresh else "a.bad.token"

    async with ConvexClient(deployment.url, auth=fetch, timeout=10, close_timeout=0) as client:
        yield client, asked


async def test_a_refused_token_is_fetched_anew(
    forced: tuple[ConvexClient, list[bool]],
) -> None:
    client, asked = forced
    assert await client.query("users:me") == "ada"
    assert asked == [False, True]
    assert client.state.auth == "authenticated"


async def test_a_deployment_that_refuses_all_tokens_is_an_auth_error_until_another_identity(
    deployment: LocalDeployment, forced: tuple[ConvexClient, list[bool]]
) -> None:
    client, asked = forced
    deployment.faults.refuse_auth = True
    with pytest.raises(AuthError, match="refused by a fault switch"):
        await client.query("users:me")
    assert asked == [False, True, True]
    assert client.state.auth == "refused"
    deployment.faults.refuse_auth = False
    client.set_auth(deployment.issue_token("bob"))
    assert await client.query("users:me") == "bob"


async def test_a_subscription_goes_on_after_its_user_was_refused(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    me = client.subscribe("users:me")
    assert await anext(me) is None
    client.set_auth("not.a.token")
    with pytest.raises(AuthError):
        await anext(me)
    client.set_auth(deployment.issue_token("ada"))
    assert await anext(me) == "ada"


@pytest.mark.parametrize("subject", [None, "ada"])
async def test_becoming_the_same_user_again_does_not_hang_a_live_query(
    deployment: LocalDeployment, client: ConvexClient, subject: str | None
) -> None:
    token = None if subject is None else deployment.issue_token(subject)
    client.set_auth(token)
    me = client.subscribe("users:me")
    assert await me.get(5) == subject
    client.set_auth(token)
    assert await client.query("users:me", timeout=2) == subject
    assert client.state.auth == ("anonymous" if token is None else "authenticated")
