"""A driver over sockets that a test plays the deployment on."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.transport.base import ConnectionClosed, Transport


class ScriptedSocket:
    """One socket: what the client sent, and what it is to receive."""

    is_clear = True

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._version = {"querySet": 0, "identity": 0, "ts": encode_ts(0)}
        self._query_set = 0

    async def send(self, frame: bytes) -> None:
        message = json.loads(frame)
        self._query_set = message.get("newVersion", self._query_set)
        await self.sent.put(message)

    async def receive(self) -> bytes | None:
        frame = await self._frames.get()
        if frame is None:
            raise ConnectionClosed("by the script")
        return frame

    async def close(self, *, timeout: float) -> None:
        pass

    def transition(self, ts: int, values: dict[int, Any]) -> None:
        """Let these queries have these values at that time."""
        start = self._version
        self._version = {"querySet": self._query_set, "identity": 0, "ts": encode_ts(ts)}
        changes = [
            {"type": "QueryUpdated", "queryId": id, "value": value, "logLines": [], "journal": None}
            for id, value in values.items()
        ]
        self._frames.put_nowait(
            json.dumps(
                {
                    "type": "Transition",
                    "startVersion": start,
                    "endVersion": self._version,
                    "modifications": changes,
                }
            ).encode()
        )

    def drop(self) -> None:
        self._frames.put_nowait(None)

    async def modified(self) -> list[dict[str, Any]]:
        """The next changes of the query set."""
        while True:
            message = await self.sent.get()
            if found := message.get("modifications"):
                changes: list[dict[str, Any]] = found
                return changes


class Script:
    """Sockets, one after another."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[ScriptedSocket] = asyncio.Queue()

    async def connect(self) -> Transport:
        socket = ScriptedSocket()
        await self.sockets.put(socket)
        return socket

    def driver(self) -> Running:
        core = ClientProtocol[Mailbox](session_id="5f0c1c1e-7a0d-4d7e-9a57-0c6b9a0f8f11")
        return Running(core, self.connect, connect_timeout=5, max_message_size=2**20)


def encode_ts(ts: int) -> str:
    return base64.b64encode(ts.to_bytes(8, "little")).decode()
