"""A deployment whose loop runs in a thread of its own, for synchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, Self, TypeVar

from convex_async.function_path import FunctionReference
from convex_async.local.engine.calls import FunctionCall
from convex_async.local.inspection.tables import Tables
from convex_async.local.server.faults import Faults

T = TypeVar("T")

# Seconds that a deployment has to stop.
STOPPING = 10.0


class Deployment(Protocol):
    """What is used of a `LocalDeployment`, which knows of this module."""

    faults: Faults
    calls: list[FunctionCall]

    @property
    def url(self) -> str: ...
    @property
    def site_url(self) -> str: ...
    @property
    def admin_key(self) -> str: ...
    @property
    def tables(self) -> Tables: ...
    def assert_called(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None: ...
    def issue_token(self, subject: str, *, lifetime: float = 3600.0, **claims: Any) -> str: ...
    async def run(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any: ...
    async def advance(self, seconds: float) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc: object) -> None: ...


class ServedDeployment:
    """A `LocalDeployment` whose loop runs in another thread.

    Made by `with LocalDeployment(...) as deployment:` and by `convex_async.testing.serve`.

    All of it may be called from any thread. What is awaited of a `LocalDeployment` is awaited here
    too where a loop is running, and blocks where none is.

    Args:
        make: makes the deployment, in its thread.
    """

    def __init__(self, make: Callable[[], Deployment]) -> None:
        self._make = make
        self._started: Future[Deployment] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(
            target=self._run, name="convex-async deployment", daemon=True
        )

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        self._thread.start()
        self._started.result()

    def close(self) -> None:
        """Cut all connections and stop. Idempotent."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOPPING)

    def __repr__(self) -> str:
        return repr(self._deployment)

    @property
    def url(self) -> str:
        """The deployment URL."""
        return self._deployment.url

    @property
    def site_url(self) -> str:
        """The origin of the HTTP actions."""
        return self._deployment.site_url

    @property
    def admin_key(self) -> str:
        """The key with which clients may call internal functions."""
        return self._deployment.admin_key

    @property
    def calls(self) -> list[FunctionCall]:
        """The calls of functions so far, in order."""
        return self._deployment.calls

    @property
    def tables(self) -> Tables:
        """The documents by table, as `LocalDeployment.tables`."""
        return self._deployment.tables

    @property
    def faults(self) -> Faults:
        """The switches that make it misbehave."""
        proxy: Any = _FaultsElsewhere(self._deployment.faults, self._call)
        faults: Faults = proxy
        return faults

    def assert_called(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None:
        """Raise `AssertionError` unless a function was called, as `LocalDeployment` has it."""
        __tracebackhide__ = True
        self._deployment.assert_called(path, args, times=times)

    def issue_token(self, subject: str, *, lifetime: float = 3600.0, **claims: Any) -> str:
        """A JWT for a user, which this deployment takes."""
        return self._deployment.issue_token(subject, lifetime=lifetime, **claims)

    def run(self, path: str | FunctionReference, args: Mapping[str, Any] | None = None) -> Any:
        """Run a function of any kind as an admin: its result, to be awaited in a loop."""
        return self._wait(self._deployment.run(path, args))

    def advance(self, seconds: float) -> Any:
        """Let time pass at once, as `LocalDeployment.advance`; to be awaited in a loop."""
        return self._wait(self._deployment.advance(seconds))

    # How

    @property
    def _deployment(self) -> Deployment:
        return self._started.result()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T | Awaitable[T]:
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return future.result()
        return asyncio.wrap_future(future)

    def _call(self, work: Callable[[], T]) -> T:
        async def call() -> T:
            return work()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._make() as deployment:
            self._started.set_result(deployment)
            await self._stop.wait()


class _FaultsElsewhere:
    """Fault switches whose methods run in the deployment's loop."""

    def __init__(self, faults: Faults, call: Callable[[Callable[[], Any]], Any]) -> None:
        self.__dict__.update(_faults=faults, _call=call)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__dict__["_faults"], name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self.__dict__["_call"](lambda: found(*args, **kwargs))

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["_faults"], name, value)
