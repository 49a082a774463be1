"""Calls of an engine's functions by plain Python values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from convex_async.codec import decode, encode_arguments
from convex_async.local.auth.identity import Caller
from convex_async.local.definitions.functions import Functions
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.python_functions import PythonFunctions
from convex_async.local.jobs.jobs import Jobs
from convex_async.local.transactions.outcome import Failure

ADMIN = Caller(is_admin=True)


@asynccontextmanager
async def running(functions: Functions, path: Path | None = None) -> AsyncIterator[Engine]:
    engine = Engine(PythonFunctions(functions), path=path)
    jobs = Jobs(engine)
    await jobs.start()
    try:
        yield engine
    finally:
        await jobs.close()
        await engine.close()


def value_of(result: bytes | Failure) -> Any:
    assert not isinstance(result, Failure), result.message
    return decode(result)


async def mutate(engine: Engine, path: str, /, **args: Any) -> Any:
    run = await engine.mutation(path, encode_arguments(args), identity=None)
    return value_of(run.result)


async def read(engine: Engine, path: str, /, **args: Any) -> Any:
    return value_of((await engine.query(path, encode_arguments(args), identity=None)).result)


async def act(engine: Engine, path: str, /, **args: Any) -> Any:
    return value_of((await engine.action(path, encode_arguments(args), identity=None)).result)


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)
