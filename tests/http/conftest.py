"""A deployment of a few lines: it answers as told, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScriptedDeployment:
    """Answers with `respond`; what it was asked is in `requests`, as (path, headers, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.respond: Handler = self._echo
        self.arrived = asyncio.Event()
        self.server = TestServer(self._app())

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")

    def script(self, *answers: web.Response) -> None:
        """Give these answers in order, then echo again."""
        rest = list(answers)

        async def respond(request: web.Request) -> web.StreamResponse:
            return rest.pop(0) if rest else await self._echo(request)

        self.respond = respond

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        body = msgspec.json.decode(data) if data[:1] == b"{" else data
        self.requests.append((request.path, dict(request.headers), body))
        self.arrived.set()
        return await self.respond(request)

    async def _echo(self, request: web.Request) -> web.Response:
        return success(self.requests[-1][2]["args"])


def success(value: object, **more: object) -> web.Response:
    return web.json_response({"status": "success", "value": value, **more})


def failure(message: str, status: int = 200, **more: object) -> web.Response:
    body = {"status": "error", "errorMessage": message, **more}
    return web.json_response(body, status=status)


def refused(status: int, code: str, **headers: str) -> web.Response:
    return web.json_response({"code": code, "message": "no."}, status=status, headers=headers)


@pytest.fixture
async def deployment() -> AsyncIterator[ScriptedDeployment]:
    scripted = ScriptedDeployment()
    await scripted.server.start_server()
    yield scripted
    await scripted.server.close()
