"""A client of bare frames: what a deployment really puts on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from convex_async.local import LocalDeployment

SESSION = "5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11"
CONNECT = {"type": "Connect", "sessionId": SESSION, "connectionCount": 0}


class Wire:
    """One open socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, *messages: Mapping[str, Any] | str) -> None:
        """Send messages, or texts as they are."""
        for message in messages:
            await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(5):
            frame = await self.socket.receive()
        assert frame.type is WSMsgType.TEXT, frame
        message: dict[str, Any] = json.loads(frame.data)
        return message

    async def closed(self) -> tuple[int, str]:
        """The code and reason of the close frame that comes next; 0 is a frame without a code."""
        async with asyncio.timeout(5):
            frame = await self.socket.receive()
        assert frame.type is WSMsgType.CLOSE, frame
        return frame.data, frame.extra or ""

    async def add(self, *queries: tuple[int, str], base: int = 0) -> None:
        """Add queries without arguments to the query set."""
        changes = [
            {"type": "Add", "queryId": query_id, "udfPath": path, "args": [{}]}
            for query_id, path in queries
        ]
        await self.send(modify(base, *changes))


def modify(base: int, *modifications: Mapping[str, Any]) -> dict[str, Any]:
    """A change of the query set by one version."""
    return {
        "type": "ModifyQuerySet",
        "baseVersion": base,
        "newVersion": base + 1,
        "modifications": list(modifications),
    }


def mutation(request_id: int, path: str, /, **args: Any) -> dict[str, Any]:
    """A mutation."""
    return {"type": "Mutation", "requestId": request_id, "udfPath": path, "args": [args]}


@asynccontextmanager
async def connected(
    deployment: LocalDeployment, path: str = "/api/sync", **options: Any
) -> AsyncIterator[Wire]:
    """A socket to a deployment; `options` are aiohttp's."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(deployment.url + path, autoclose=False, **options) as socket,
    ):
        yield Wire(socket)
