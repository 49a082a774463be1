"""Lets a deployment end in order: what is under way is finished, and nothing new begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from convex_async.local.problems import DeploymentProblem


class OpenRequests:
    """The HTTP requests that are under way."""

    def __init__(self) -> None:
        self._count = 0
        self._refuses = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def drain(self) -> None:
        """Refuse new ones, and wait for the last."""
        self._refuses = True
        await self._idle.wait()

    async def answer(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Answer a request, unless none is taken any more."""
        if self._refuses:
            raise DeploymentProblem(
                "Overloaded", "ServiceUnavailable", "This deployment is shutting down."
            )
        self._count += 1
        self._idle.clear()
        try:
            return await handler(request)
        finally:
            self._count -= 1
            if self._count == 0:
                self._idle.set()
