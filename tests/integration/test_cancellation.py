"""Cancelled at each await in turn: the cancellation arrives, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Literal, TypeAlias

import pytest

from convex_async import ConvexClient
from convex_async.errors import ClientClosedError
from convex_async.http import ConvexHttpClient
from convex_async.local import LocalDeployment
from tests.integration.backend import make_functions

Client: TypeAlias = ConvexClient | ConvexHttpClient
When: TypeAlias = Literal["while it waits", "as it is woken"]
NOTE = {"text": "mine"}
# Seconds in which whatever was abandoned has ended.
SOON = 5


class CancelledAt:
    """Runs an awaitable in the present task, which is cancelled at one of its awaits.

    Args:
        at: how often it may wait before.
        when: the await is cancelled, or it has its result already and cancellation comes with it.
    """

    def __init__(self, inner: Awaitable[object], at: int, when: When) -> None:
        self._inner = inner
        self._at = at
        self._when = when
        self.met = False

    def __await__(self) -> Generator[Any, Any, object]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._inner.__await__()
        for step in count():
            try:
                waiting = next(steps)
            except StopIteration as end:
                return end.value
            if step == self._at:
                self.met = True
                if self._when == "while it waits":
                    task.cancel()
            try:
                yield waiting
            except BaseException as error:
                # The inner one's own turn to see it, and to wait more if it cleans up.
                return (yield from self._thrown(steps, error))
            if step == self._at:
                return (yield from self._thrown(steps, asyncio.CancelledError()))
        raise AssertionError

    @staticmethod
    def _thrown(
        steps: Generator[Any, None, object], error: BaseException
    ) -> Generator[Any, Any, object]:
        try:
            waiting = steps.throw(error)
            while True:
                yield waiting
                waiting = next(steps)
        except StopIteration as end:
            return end.value


async def cancelled_at(operation: Awaitable[object], at: int, when: When) -> bool:
    """Whether the operation came to that await; if so it was cancelled, else it succeeded."""
    run = CancelledAt(operation, at, when)

    async def drive() -> object:
        return await run

    (ended,) = await asyncio.gather(asyncio.create_task(drive()), return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError) == run.met, ended
    del ended  # its traceback holds what the operation held
    await asyncio.sleep(0)
    gc.collect()
    return run.met


async def iterate(client: Client) -> None:
    assert isinstance(client, ConvexClient)
    async with client.subscribe("notes:list") as notes:
        await anext(notes)
        await client.mutation("notes:add", NOTE)
        await anext(notes)


async def store(client: Client) -> None:
    storage_id = await client.upload(b"data" * 10_000, url="files:url")
    url = await client.query("files:get", {"id": storage_id})
    assert len(await client.download(url)) == 40_000


async def hook(client: Client) -> None:
    async with client.http_action("GET", "/hook") as response:
        assert await response.text() == "hooked"


OPERATIONS: dict[str, tuple[type[Client], Callable[[Any], Awaitable[object]]]] = {
    "connect": (ConvexClient, lambda client: client.connect()),
    "query": (ConvexClient, lambda client: client.query("notes:list")),
    "mutation": (ConvexClient, lambda client: client.mutation("notes:add", NOTE)),
    "action": (ConvexClient, lambda client: client.action("notes:echo", {"value": 1})),
    "no time limit": (ConvexClient, lambda c: c.mutation("notes:add", NOTE, timeout=None)),
    "iteration": (ConvexClient, iterate),
    "get": (ConvexClient, lambda client: client.subscribe("notes:list").get(5)),
    "until": (ConvexClient, lambda c: c.subscribe("notes:list").until(lambda v: v == [])),
    "pages": (ConvexClient, lambda client: anext(client.paginate("notes:page").pages())),
    "files": (ConvexClient, store),
    "HTTP action": (ConvexClient, hook),
    "query over HTTP": (ConvexHttpClient, lambda client: client.query("notes:list")),
    "mutation over HTTP": (ConvexHttpClient, lambda client: client.mutation("notes:add", NOTE)),
    "files over HTTP": (ConvexHttpClient, store),
}


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    functions = make_functions()

    @functions.mutation("files:url")
    async def url(ctx: Any) -> str:
        generated: str = await ctx.storage.generate_upload_url()
        return generated

    @functions.query("files:get")
    async def get(ctx: Any, id: str) -> Any:
        return await ctx.storage.get_url(id)

    @functions.query("notes:page")
    async def page(ctx: Any, paginationOpts: Any) -> Any:
        return await ctx.db.query("notes").paginate(paginationOpts)

    @functions.http_action("GET", "/hook")
    async def hooked(ctx: Any, request: Any) -> Any:
        return "hooked"

    async with LocalDeployment(functions) as deployment:
        yield deployment


@asynccontextmanager
async def nothing_left_behind(deployment: LocalDeployment) -> AsyncIterator[None]:
    """Every task that is begun ends, and so does every connection."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(SOON):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    assert deployment.faults.connections == 0


@pytest.mark.parametrize("when", ["while it waits", "as it is woken"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_call_at_each_await(
    deployment: LocalDeployment, operation: str, when: When
) -> None:
    make, operate = OPERATIONS[operation]
    applied = 0
    for at in count():
        async with nothing_left_behind(deployment), make(deployment.url, timeout=10) as client:
            met = await cancelled_at(operate(client), at, when)
            async with asyncio.timeout(SOON):
                await client.mutation("notes:touch")
            if isinstance(client, ConvexClient):
                assert client.state.pending_requests == 0
                assert client._driver.subscribers == 0
        before, applied = applied, len(await deployment.run("notes:list"))
        assert applied - before <= 1
        if not met:
            break
        if operation in {"mutation", "no time limit"} and when == "while it waits":
            assert applied == before  # there was no socket yet: it was withdrawn
    assert at > 0


@pytest.mark.parametrize("when", ["while it waits", "as it is woken"])
@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_closing_at_each_await(
    deployment: LocalDeployment, make: type[Client], when: When
) -> None:
    """A close that is cancelled has closed, or the next one does."""
    deployment.faults.delay = 0.02
    for at in count():
        async with nothing_left_behind(deployment):
            client = make(deployment.url)
            pending = [asyncio.ensure_future(client.mutation("notes:touch")) for _ in range(3)]
            await asyncio.sleep(0.01)
            met = await cancelled_at(client.close(), at, when)
            async with asyncio.timeout(SOON):
                await client.close()
                for outcome in await asyncio.gather(*pending, return_exceptions=True):
                    assert outcome is None or isinstance(outcome, ClientClosedError)
            with pytest.raises(ClientClosedError):
                await client.query("notes:list")
        if not met:
            break
    assert at > 0
