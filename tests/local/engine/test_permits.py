"""How many functions run at a time and how long they take, and what is said of more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convex_async.codec import encode_arguments
from convex_async.local import Functions
from convex_async.local.definitions.functions import FunctionKind
from convex_async.local.engine import permits
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.python_functions import TIME_LIMITS
from convex_async.local.problems import DeploymentProblem
from convex_async.local.transactions.outcome import Failure
from tests.local.calls import running, until

KINDS: tuple[FunctionKind, ...] = ("query", "mutation", "action")


class Backend:
    """A function of each kind that waits until it is let go."""

    def __init__(self) -> None:
        self.functions = Functions()
        self.begun: list[str] = []
        self.may_go_on = asyncio.Event()

        @self.functions.query("wait:query")
        async def query(ctx: Any) -> None:
            await self._wait("query")

        @self.functions.mutation("wait:mutation")
        async def mutation(ctx: Any) -> None:
            await ctx.db.insert("notes", {})
            await self._wait("mutation")

        @self.functions.action("wait:action")
        async def action(ctx: Any) -> None:
            await self._wait("action")

        @self.functions.mutation("wait:own")
        async def own(ctx: Any) -> None:
            raise TimeoutError("of the function's own")

    async def _wait(self, kind: str) -> None:
        self.begun.append(kind)
        await self.may_go_on.wait()


def call(engine: Engine, kind: FunctionKind, path: str | None = None) -> asyncio.Task[Any]:
    run = getattr(engine, kind)
    return asyncio.create_task(run(path or f"wait:{kind}", encode_arguments({}), identity=None))


@pytest.mark.parametrize("kind", KINDS)
async def test_who_comes_when_all_run_waits_for_a_turn(kind: FunctionKind) -> None:
    backend = Backend()
    async with running(backend.functions) as engine:
        calls = [call(engine, kind) for _ in range(permits.CONCURRENT[kind] + 1)]
        await until(lambda: len(backend.begun) == permits.CONCURRENT[kind])
        await asyncio.sleep(0)
        assert len(backend.begun) == permits.CONCURRENT[kind]
        backend.may_go_on.set()
        for run in await asyncio.gather(*calls):
            assert run.result == b"null"


@pytest.mark.parametrize("kind", KINDS)
async def test_who_has_no_turn_for_long_is_refused(
    kind: FunctionKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(permits.PATIENCE, kind, 0.01)
    backend = Backend()
    async with running(backend.functions) as engine:
        calls = [call(engine, kind) for _ in range(permits.CONCURRENT[kind])]
        await until(lambda: len(backend.begun) == len(calls))
        with pytest.raises(DeploymentProblem) as raised:
            await call(engine, kind)
        assert (raised.value.status, raised.value.close_code) == (429, 1013)
        assert raised.value.code == "TooManyConcurrentRequests"
        assert f"limited to {permits.CONCURRENT[kind]} concurrent {kind}s" in str(raised.value)
        backend.may_go_on.set()
        await asyncio.gather(*calls)
        await call(engine, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_function_that_takes_too_long_fails(
    kind: FunctionKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TIME_LIMITS, kind, 0.01)
    backend = Backend()
    async with running(backend.functions) as engine:
        run = await call(engine, kind)
        assert isinstance(run.result, Failure)
        assert "Function execution timed out (maximum duration: 0.01s)" in run.result.message
        assert not list(engine.store.documents())


async def test_a_timeout_of_a_functions_own_is_told_as_it_is() -> None:
    async with running(Backend().functions) as engine:
        run = await call(engine, "mutation", "wait:own")
        assert "of the function's own" in run.result.message


def test_the_limits_are_those_of_convex() -> None:
    assert TIME_LIMITS == {"query": 1, "mutation": 1, "action": 1800}
