"""Lost sockets, silent servers, closing: nothing lost, nothing twice, nothing hangs, or blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from convex_async import (
    AuthError,
    ClientClosedError,
    ConnectionLostError,
    ConvexClient,
    ConvexClientError,
    RemoteProtocolError,
    RequestTimeoutError,
    TransportError,
)
from convex_async.local import LocalDeployment

Call = Callable[[ConvexClient], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "query": lambda client: client.query("notes:list"),
    "mutation": lambda client: client.mutation("notes:touch"),
    "action": lambda client: client.action("notes:echo", {"value": 1}),
    "iteration": lambda client: anext(client.subscribe("notes:list")),
    "get": lambda client: client.subscribe("notes:list").get(),
    "until": lambda client: client.subscribe("notes:list").until(bool),
}

calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def texts(client: ConvexClient) -> list[str]:
    return [note["text"] for note in await client.query("notes:list")]


async def test_a_commit_whose_answer_is_lost_is_applied_once(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.drop_after_commit = 1
    await client.mutation("notes:add", {"text": "once"})
    assert await texts(client) == ["once"]
    assert client.state.connection_count == 2


async def test_a_storm_of_drops_keeps_order_and_count(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    sending = [
        asyncio.create_task(client.mutation("notes:add", {"text": str(n)})) for n in range(100)
    ]
    for _ in range(3):
        await asyncio.sleep(0.01)
        deployment.faults.drop()
        await client.connect()
    await asyncio.gather(*sending)
    assert await texts(client) == [str(n) for n in range(100)]


@pytest.mark.parametrize("switch", ["duplicate_responses", "transition_first"])
async def test_odd_answers_change_nothing(
    deployment: LocalDeployment, client: ConvexClient, switch: str
) -> None:
    setattr(deployment.faults, switch, True)
    async with client.subscribe("notes:list") as notes:
        for number in range(5):
            await client.mutation("notes:add", {"text": str(number)})
            assert len(await notes.get()) == number + 1
    assert client.state.connection_count == 1


async def test_a_version_mismatch_reconnects(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.mismatch_version()
    await client.mutation("notes:add", {"text": "1"})
    assert client.state.last_close_reason == "StartVersionMismatch"
    assert await texts(client) == ["1"]


async def test_a_close_reason_is_told_to_the_next_socket(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.close(1013, "CommitterFullError")
    async for state in client.states():
        if state.phase == "disconnected":
            break
    assert client.state.last_close_reason == "CommitterFullError"
    await client.connect()
    assert await texts(client) == []


async def test_a_half_open_socket_is_noticed(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url, inactivity_timeout=0.3, close_timeout=0) as client:
        await client.connect()
        deployment.faults.half_open()
        await client.mutation("notes:add", {"text": "1"})
        assert client.state.connection_count == 2
        assert await texts(client) == ["1"]


async def test_an_action_under_way_is_lost_and_not_sent_again(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    await client.connect()
    deployment.faults.delay = 30
    action = asyncio.create_task(client.action("notes:echo", {"value": 1}))
    await asyncio.sleep(0.05)
    deployment.faults.delay = 0
    deployment.faults.drop()
    with pytest.raises(ConnectionLostError) as caught:
        await action
    assert caught.value.outcome == "unknown"
    assert not caught.value.retryable


async def test_refused_upgrades_are_visible_and_tried_again(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    deployment.faults.refuse_upgrades = 503
    with pytest.raises(TransportError, match="503"):
        await client.connect()
    assert "503" in (client.state.last_close_reason or "")
    deployment.faults.refuse_upgrades = None
    await client.connect()
    assert await texts(client) == []


# Endings, one by one


@calls
async def test_closing_ends_what_waits(deployment: LocalDeployment, call: Call) -> None:
    deployment.faults.delay = 30
    client = ConvexClient(deployment.url, close_timeout=0.05)
    waiting = asyncio.ensure_future(call(client))
    await client.connect()
    await asyncio.sleep(0.02)
    await client.close()
    with pytest.raises(ClientClosedError):
        await asyncio.wait_for(waiting, 1)


@calls
async def test_a_fatal_error_ends_what_waits(
    deployment: LocalDeployment, client: ConvexClient, call: Call
) -> None:
    deployment.faults.delay = 30
    waiting = asyncio.ensure_future(call(client))
    await client.connect()
    await asyncio.sleep(0.02)
    deployment.faults.fatal("enough")
    with pytest.raises(RemoteProtocolError, match="enough"):
        await asyncio.wait_for(waiting, 1)
    with pytest.raises(RemoteProtocolError):
        await asyncio.wait_for(call(client), 1)
    assert client.state.phase == "stopped"


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
async def test_a_dead_server_ends_a_call_by_its_timeout(unused_tcp_port: int, kind: str) -> None:
    async with ConvexClient(f"http://127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await getattr(client, kind)("notes:list", timeout=0.1)
        assert caught.value.outcome == "not_sent"
        with pytest.raises(TimeoutError):
            await client.subscribe("notes:list").get(timeout=0.1)


async def test_each_call_has_a_timeout_of_its_own(unused_tcp_port: int) -> None:
    ended: list[float] = []

    async def call(timeout: float) -> None:
        with pytest.raises(RequestTimeoutError):
            await client.mutation("notes:touch", timeout=timeout)
        ended.append(timeout)

    async with ConvexClient(f"http://127.0.0.1:{unused_tcp_port}") as client:
        async with asyncio.timeout(5):
            await asyncio.gather(*map(call, (0.06, 0.02, 0.1, 0.04)))
    assert ended == [0.02, 0.04, 0.06, 0.1]


async def test_a_sent_request_that_times_out_is_of_unknown_outcome(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    deployment.faults.delay = 1
    await client.connect()
    with pytest.raises(RequestTimeoutError) as caught:
        await client.mutation("notes:add", {"text": "1"}, timeout=0.1)
    assert caught.value.outcome == "unknown"
    assert isinstance(caught.value, TimeoutError)


@calls
async def test_a_refused_token_ends_what_waits(
    deployment: LocalDeployment, client: ConvexClient, call: Call
) -> None:
    client.set_auth("not.a.token")
    with pytest.raises(AuthError):
        await asyncio.wait_for(call(client), 2)
    with pytest.raises(AuthError):
        await asyncio.wait_for(call(client), 2)
    client.set_auth(deployment.issue_token("ada"))
    assert await client.query("users:me") == "ada"


# Identity


async def test_the_identity_changes_and_queries_follow(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    me = client.subscribe("users:me")
    assert await anext(me) is None
    for name in ("ada", "bob"):
        client.set_auth(deployment.issue_token(name))
        assert await client.query("users:me") == name
        assert await anext(me) == name
    client.clear_auth()
    assert await anext(me) is None


async def test_nothing_runs_anonymously_while_the_token_is_fetched(
    deployment: LocalDeployment,
) -> None:
    fetched = asyncio.Event()

    async def fetch(*, force_refresh: bool) -> str | None:
        await fetched.wait()
        return deployment.issue_token("ada")

    async with ConvexClient(deployment.url, auth=fetch) as client:
        me: Any = client.subscribe("users:me")
        asking = asyncio.create_task(anext(me))
        await client.connect()
        await asyncio.sleep(0.05)
        assert not asking.done()
        assert client.state.auth == "fetching"
        fetched.set()
        assert await asking == "ada"


async def test_a_token_is_renewed_before_it_ends(deployment: LocalDeployment) -> None:
    forced: list[bool] = []
    renewed = asyncio.Event()

    async def fetch(*, force_refresh: bool) -> str | None:
        forced.append(force_refresh)
        if len(forced) == 2:
            renewed.set()
        return deployment.issue_token("ada", lifetime=3)

    async with ConvexClient(deployment.url, auth=fetch) as client:
        assert await client.query("users:me") == "ada"
        await asyncio.wait_for(renewed.wait(), 5)
        assert forced == [False, True]
        assert await client.query("users:me") == "ada"


async def test_a_fetcher_that_hangs_is_given_up_and_asked_again_one_at_a_time(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_TIMEOUT", 0.05)
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_BACKOFF_INITIAL", 0.01)
    running, fetched = 0, 0

    async def fetch(*, force_refresh: bool) -> str | None:
        nonlocal running, fetched
        running, fetched = running + 1, fetched + 1
        assert running == 1
        try:
            if fetched < 3:
                await asyncio.Event().wait()
            return deployment.issue_token("ada")
        finally:
            running -= 1

    async with ConvexClient(deployment.url, auth=fetch, timeout=10) as client:
        assert await asyncio.gather(*(client.query("users:me") for _ in range(5))) == ["ada"] * 5
    assert fetched == 3


async def test_a_fetcher_that_raises_is_tried_again(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_BACKOFF_INITIAL", 0.01)
    tries = 0

    async def fetch(*, force_refresh: bool) -> str | None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("the provider is down")
        return deployment.issue_token("ada")

    async with ConvexClient(deployment.url, auth=fetch) as client:
        assert await client.query("users:me") == "ada"


# The loop


async def longest_gap(client: ConvexClient, call: Call) -> float:
    """Seconds between two beats of a heart of 5 ms, while the call waits for its answer."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    beating = asyncio.create_task(beat())
    try:
        async with asyncio.timeout(2.5):
            await call(client)
    except TimeoutError:  # `until` waits on: the first value is not what it wants
        pass
    except ConvexClientError as error:
        pytest.fail(str(error))
    await asyncio.sleep(0.01)  # one more beat, which tells of a stall at the end
    beating.cancel()
    return longest


@calls
async def test_no_call_blocks_the_loop(deployment: LocalDeployment, call: Call) -> None:
    deployment.faults.delay = 2
    gaps: list[float] = []
    async with ConvexClient(deployment.url, close_timeout=0) as client:
        await client.connect()
        # What blocks does so each time; a busy machine does so now and then.
        while len(gaps) < 3 and (not gaps or gaps[-1] >= 0.05):
            gaps.append(await longest_gap(client, call))
    assert gaps[-1] < 0.05, gaps
