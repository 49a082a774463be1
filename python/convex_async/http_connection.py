"""The session that an HTTP client and its views share, and how it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from convex_async.errors import ClientClosedError, LocalProtocolError, RequestTimeoutError
from convex_async.transport.session import SessionHolder

if TYPE_CHECKING:
    import aiohttp

    from convex_async.transport.http import Attempt


class HttpConnection:
    """One keep-alive session, for one event loop; every request has a limit that `close` can end.

    Args:
        session: the user's own session, which is never closed, or None.
    """

    def __init__(self, session: aiohttp.ClientSession | None) -> None:
        self._sessions = SessionHolder(session)
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self.is_closed = False

    def session(self) -> aiohttp.ClientSession:
        """The session.

        Raises:
            ClientClosedError: it is closed.
            LocalProtocolError: it belongs to another event loop, thread or process.
        """
        if self.is_closed:
            raise ClientClosedError()
        self._check_place()
        return self._sessions.get()

    @asynccontextmanager
    async def limit(
        self, what: str, seconds: float | None, attempt: Attempt
    ) -> AsyncGenerator[asyncio.Timeout, None]:
        """Let a request take so many seconds, or until the client is closed.

        Raises:
            RequestTimeoutError, ClientClosedError: with what `attempt` knows of the outcome.
        """
        self.session()
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                self._limits.add(limit)
                try:
                    yield limit
                finally:
                    self._limits.remove(limit)
                    if not self._limits:
                        self._idle.set()
        except TimeoutError:
            if not limit.expired():
                raise
            if self.is_closed:
                raise ClientClosedError(outcome=attempt.outcome) from None
            known = "it may have run" if attempt.sent else "it was not sent"
            raise RequestTimeoutError(
                f"{what}: no answer within {seconds} s; {known}", outcome=attempt.outcome
            ) from None

    async def close(self) -> None:
        """End what is under way with `ClientClosedError`, then the session if it is ours."""
        if self.is_closed:
            return
        if self._owner is not None:
            self._check_place()
        self.is_closed = True
        self._idle.clear()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(0)  # a time long past, on the loop's clock
        if self._limits:
            await self._idle.wait()
        await self._sessions.close()

    def _check_place(self) -> None:
        try:
            here = (os.getpid(), asyncio.get_running_loop())
        except RuntimeError:
            raise LocalProtocolError(
                "a ConvexHttpClient works inside a running event loop: call it from a coroutine, "
                "or use convex_async.sync"
            ) from None
        if self._owner is None:
            self._owner = here
        elif self._owner != here:
            raise LocalProtocolError(
                "a ConvexHttpClient belongs to the event loop, thread and process that first used "
                "it: make one client in each (convex_async.sync has one for threads)"
            )
