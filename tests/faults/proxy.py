"""A TCP proxy that misbehaves: what networks do, between a client and a deployment."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

Kind: TypeAlias = Literal["cut", "reset", "stall", "swallow", "trickle"]
Direction: TypeAlias = Literal["up", "down"]
# Bytes that a trickling connection lets through at a time.
DRIP = 7


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one connection.

    Attributes:
        kind: "cut" closes both sides, "reset" tears them down with RST, "stall" forwards nothing
            any more either way, "swallow" loses all that comes in its direction (half-open),
            "trickle" forwards a few bytes at a time.
        direction: "up" to the deployment, "down" to the client.
        after: bytes that pass in that direction first.
    """

    kind: Kind
    direction: Direction
    after: int


class FaultProxy:
    """Forwards connections to a port of this host; the next ones meet the faults of `plan`.

    A connection that ends before its fault, as of a client that lost its patience, leaves it to
    the next one.

    Attributes:
        ended: set when a connection has ended.
    """

    def __init__(self, port: int) -> None:
        self.plan: deque[Fault] = deque()
        self.connections = 0
        self.faults_met = 0
        self.ended = asyncio.Event()
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        fault: Fault | None = None
        met = asyncio.Event()
        writers = [writer]
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            writers.append(back)
            fault = self.plan.popleft() if self.plan else None
            await self._forward(fault, met, {"up": (reader, back), "down": (there, writer)})
        except OSError:
            pass
        finally:
            if fault is not None and not met.is_set():
                self.plan.appendleft(fault)
            for each in writers:
                if fault is not None and fault.kind == "reset" and met.is_set():
                    _tear_down(each)
                each.close()
            self._tasks.discard(task)
            self.ended.set()

    async def _forward(
        self,
        fault: Fault | None,
        met: asyncio.Event,
        ways: dict[Direction, tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> None:
        """Until either side ends, or the fault ends both."""
        stalled = asyncio.Event()
        pumps = [
            asyncio.create_task(
                self._pump(*way, fault if fault and fault.direction == name else None, met, stalled)
            )
            for name, way in ways.items()
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault | None,
        met: asyncio.Event,
        stalled: asyncio.Event,
    ) -> None:
        passed = 0
        while chunk := await reader.read(65536):
            if stalled.is_set():
                continue
            if fault is None or passed + len(chunk) < fault.after:
                passed += len(chunk)
                writer.write(chunk)
                await writer.drain()
                continue
            if passed < fault.after:
                self.faults_met += 1
                met.set()
                writer.write(chunk[: fault.after - passed])
                await writer.drain()
                chunk, passed = chunk[fault.after - passed :], fault.after
            match fault.kind:
                case "cut" | "reset":
                    return
                case "stall":
                    stalled.set()
                case "swallow":
                    pass
                case "trickle":
                    for start in range(0, len(chunk), DRIP):
                        writer.write(chunk[start : start + DRIP])
                        await writer.drain()
                        await asyncio.sleep(0)


def _tear_down(writer: asyncio.StreamWriter) -> None:
    """Let the close that follows send RST, as a crashed peer or a firewall does."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
