"""The session that an HTTP client and its views share, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from convex_async.client_base.home_loop import Place
from convex_async.errors import ClientClosedError, RequestTimeoutError
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
        self._place: Place | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self.is_closed: bool = False

    def session(self) -> aiohttp.ClientSession:
        """The session.

        Raises:
            ClientClosedError: it is closed.
            LocalProtocolError: it belongs to another event loop, thread or process.
        """
        if self.is_closed:
            raise ClientClosedError()
        if self._place is None:
            self._place = Place("ConvexHttpClient")
        self._place.check()
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
            raise RequestTimeoutError.after(what, seconds, attempt.outcome) from None

    async def close(self) -> None:
        """End what is under way with `ClientClosedError`, then the session if it is ours."""
        if self.is_closed:
            return
        if self._place is not None:
            self._place.check()
        self.is_closed = True
        self._idle.clear()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(0)  # a time long past, on the loop's clock
        try:
            if self._limits:
                await self._idle.wait()
        finally:  # also for who is cancelled meanwhile: nobody comes here again
            await self._sessions.close()
