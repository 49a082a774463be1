"""A client over its whole life: before any loop, in one loop after another, forked and copied."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from convex_async import AuthError, ClientClosedError, ConvexClient, LocalProtocolError
from convex_async.local import LocalDeployment
from convex_async.protocol.messages import ClientMessage, Connect
from tests.integration.backend import make_functions


@contextmanager
def served() -> Iterator[LocalDeployment]:
    """A deployment in a thread of its own, for tests that have loops of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(main: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(main, loop).result(10)

    deployment = LocalDeployment(make_functions())
    try:
        run(deployment.__aenter__())
        yield deployment
        run(deployment.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(name="remote")
def _remote() -> Iterator[LocalDeployment]:
    with served() as deployment:
        yield deployment


async def texts(client: ConvexClient) -> list[str]:
    return [note["text"] for note in await client.query("notes:list")]


def test_a_client_starts_afresh_in_each_loop(remote: LocalDeployment) -> None:
    client = ConvexClient(remote.url, timeout=5)
    sessions = []

    async def use(text: str) -> None:
        assert client.state.phase == "idle"
        await client.mutation("notes:add", {"text": text})
        sessions.append(client._driver.running().core.session_id)

    for text in ("one", "two"):
        asyncio.run(use(text))

    async def finish() -> list[str]:
        async with client:
            return await texts(client)

    assert asyncio.run(finish()) == ["one", "two"]
    assert len(set(sessions)) == 2
    with pytest.raises(ClientClosedError):
        asyncio.run(texts(client))


def test_the_user_is_the_same_in_the_next_loop(remote: LocalDeployment) -> None:
    client = ConvexClient(remote.url, timeout=5, auth=remote.issue_token("ada"))

    async def who() -> Any:
        return await client.query("users:me")

    first, second = asyncio.run(who()), asyncio.run(who())
    assert first == second == "ada"
    asyncio.run(client.close())


def test_what_was_of_the_old_loop_says_so(remote: LocalDeployment) -> None:
    client = ConvexClient(remote.url, timeout=5)

    async def subscribe() -> Any:
        notes = client.subscribe("notes:list")
        await notes.get()
        return notes

    async def go_on(notes: Any) -> None:
        async with client:
            await texts(client)
            with pytest.raises(ClientClosedError):
                await notes.get()

    asyncio.run(go_on(asyncio.run(subscribe())))


def test_two_loops_at_once_are_an_error(remote: LocalDeployment) -> None:
    async def main() -> None:
        async with ConvexClient(remote.url, timeout=5) as client:
            notes = client.subscribe("notes:list")
            await notes.get()

            def elsewhere() -> None:
                with pytest.raises(LocalProtocolError, match="thread and process"):
                    asyncio.run(texts(client))

                async def wait() -> None:
                    await notes.get()
                    await anext(notes)
                    await anext(notes)

                with pytest.raises(LocalProtocolError, match="subscribe again"):
                    asyncio.run(wait())

            await asyncio.to_thread(elsewhere)

    asyncio.run(main())


def test_an_outbox_goes_on_in_the_next_loop(remote: LocalDeployment, tmp_path: Any) -> None:
    client = ConvexClient(remote.url, timeout=5, outbox=tmp_path / "box")

    async def add(text: str) -> list[str]:
        await client.mutation("notes:add", {"text": text})
        return await texts(client)

    assert asyncio.run(add("one")) == ["one"]
    assert asyncio.run(add("two")) == ["one", "two"]
    asyncio.run(client.close())


# Copies

FORKING = """
import asyncio, os
from convex_async import ConvexClient

client = ConvexClient()

async def work(text):
    async with client:
        await client.mutation("notes:add", {"text": text})

for number in range(3):
    if (child := os.fork()) == 0:
        asyncio.run(work(f"worker {number}"))
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_clients_forked_before_their_first_use_lose_nothing(remote: LocalDeployment) -> None:
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKING)],
        env={**os.environ, "CONVEX_URL": remote.url},
        check=True,
        timeout=60,
    )

    async def read() -> list[str]:
        async with ConvexClient(remote.url) as client:
            return await texts(client)

    assert asyncio.run(read()) == ["worker 0", "worker 1", "worker 2"]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
async def test_a_copy_is_a_client_of_its_own(deployment: LocalDeployment, how: Any) -> None:
    original = ConvexClient(deployment.url, timeout=7, close_timeout=0)
    copies = [how(original), how(original)]
    await original.mutation("notes:add", {"text": "original"})
    copies.append(how(original))  # also of one in use
    for number, copied in enumerate(copies):
        assert copied.state.phase == "idle"
        async with copied:
            await copied.mutation("notes:add", {"text": f"copy {number}"})
            assert copied._settings.timeout == 7
    assert len(await texts(original)) == 4
    await original.close()


async def test_a_copy_has_the_user(deployment: LocalDeployment) -> None:
    original = ConvexClient(deployment.url, timeout=7, auth=deployment.issue_token("ada"))
    async with copy.deepcopy(original) as copied:
        assert await copied.query("users:me") == "ada"


class Named(ConvexClient):
    """With a constructor of its own."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(url)
        self.name = name


def test_a_copy_of_a_subclass() -> None:
    assert isinstance(copy.copy(Named("one", "http://127.0.0.1:1")), Named)


async def _fetch(*, force_refresh: bool) -> str | None:
    return None


@pytest.mark.parametrize(
    "options", [{"auth": "a.b.c"}, {"admin_key": "local|key"}, {"auth": _fetch}]
)
def test_no_token_gets_into_a_pickle(options: dict[str, Any]) -> None:
    client = ConvexClient("http://127.0.0.1:1", **options)
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(client)
    assert "a.b.c" not in str(caught.value)


# The first call

WATCHED = """
import asyncio, sys, time
from convex_async import ConvexClient

async def main():
    longest, last = 0.0, time.thread_time()
    known = set(sys.modules)

    def beat():
        nonlocal longest, last
        now = time.thread_time()
        longest, last = max(longest, now - last), now
        loop.call_later(0.001, beat)

    loop = asyncio.get_running_loop()
    loop.call_soon(beat)
    async with ConvexClient() as client:
        notes = client.subscribe("notes:list")
        await client.mutation("notes:add", {"text": "1"})
        await notes.get()
        await client.query("notes:list", type=list)
    imported = sorted(set(sys.modules) - known)
    print(f"{longest:.3f}", len(imported), *imported)

asyncio.run(main())
"""


def test_the_first_call_does_not_stop_the_loop(remote: LocalDeployment) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        env={**os.environ, "CONVEX_URL": remote.url},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    longest, count, *imported = done.stdout.split()
    assert "aiohttp" not in imported
    assert int(count) < 20, imported
    assert float(longest) < 0.08  # seconds of this thread's processor time


# Who forgets to close

FORGETFUL = """
import asyncio
from convex_async import ConvexClient

async def main():
    client = ConvexClient()
    print(await client.query("notes:list"))

asyncio.run(main())
"""


@pytest.mark.parametrize("warnings", ["default", "ignore"])
def test_who_forgets_to_close_hears_of_our_client_alone(
    remote: LocalDeployment, warnings: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", warnings, "-c", FORGETFUL],
        env={**os.environ, "CONVEX_URL": remote.url},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
    assert "Unclosed" not in done.stderr
    assert done.stderr.count("was dropped without close()") == (warnings == "default")


@pytest.fixture
async def short_lived(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    token = deployment.issue_token("ada", lifetime=2)
    async with ConvexClient(deployment.url, auth=token, close_timeout=0.1) as client:
        yield client


async def test_after_a_refusal_nothing_of_the_old_user_is_shown(
    deployment: LocalDeployment, short_lived: ConvexClient
) -> None:
    me = short_lived.subscribe("users:me")
    assert await me.get() == "ada"
    deployment.faults.expire_auth()
    async for state in short_lived.states():
        if state.auth == "refused":
            break
    waits: list[Any] = [me.get, lambda: me.until(bool), lambda: anext(me)]
    for wait in waits:
        with pytest.raises(AuthError):
            await wait()
    short_lived.set_auth(deployment.issue_token("bob"))
    assert await me.get(timeout=5) == "bob"


async def test_the_same_user_again_is_shown_again(
    deployment: LocalDeployment, short_lived: ConvexClient
) -> None:
    me = short_lived.subscribe("users:me")
    assert await anext(me) == "ada"
    deployment.faults.expire_auth()
    async for state in short_lived.states():
        if state.auth == "refused":
            break
    with pytest.raises(AuthError):
        await anext(me)
    short_lived.set_auth(deployment.issue_token("ada"))
    assert await me.get(timeout=5) == "ada"


async def test_after_close_nothing_is_shown(deployment: LocalDeployment) -> None:
    async with ConvexClient(deployment.url) as client:
        notes = client.subscribe("notes:list")
        assert await notes.get() == []
    waits: list[Any] = [notes.get, lambda: notes.until(bool), lambda: anext(notes)]
    for wait in waits:
        with pytest.raises(ClientClosedError):
            await wait()


@pytest.mark.trap(3)
async def test_no_two_clients_share_a_session_id(
    deployment: LocalDeployment, client: ConvexClient, frames: list[ClientMessage]
) -> None:
    """Each running client has a session id of its own."""
    async with ConvexClient(deployment.url, close_timeout=0) as other:
        await client.query("notes:list")
        await other.query("notes:list")
    assert len({m.session_id for m in frames if isinstance(m, Connect)}) == 2


@pytest.mark.trap(8)
async def test_connecting_does_not_wait_for_a_message(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """`connect` returns with the socket open, even if the deployment says nothing at all."""
    deployment.faults.silent = True
    await client.connect()
    assert client.state.is_connected
