"""Opening sockets, and moving frames between them and the core."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from convex_async.connection.alarm import Alarm
from convex_async.connection.delivery import Delivery
from convex_async.connection.mailbox import Mailbox
from convex_async.errors import RemoteProtocolError, TransportError
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Halted, Offline, Online
from convex_async.protocol.frames import FrameDecoder, encode_message
from convex_async.shown import escaped, without_secrets
from convex_async.transport.base import TOO_LARGE, ConnectionClosed, Connector, Transport

logger: logging.Logger = logging.getLogger("convex_async")

# Seconds of handling frames after which other tasks get their turn: aiohttp hands over queued
# frames without ever yielding to the loop.
SLICE = 0.001
# Seconds for saying goodbye to a socket that is being replaced.
GOODBYE = 1.0
# Failed tries after which a warning is logged; the next at twice as many, and so on.
PATIENCE = 3
# Characters of a reason that are shown.
SHOWN = 300


class Pump:
    """One socket after another.

    Args:
        alarm: wakes it when a socket is wanted, or something has to be sent.
        prepare: called before each try to open a socket.
        connected, disconnected: called once one is open, and when it is gone.
        target: where sockets are opened to, for the log.
        connect_timeout: seconds that opening one may take.
        max_message_size: the most characters of a transition that comes in parts.

    Attributes:
        is_connecting: whether a socket is being opened.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        connect: Connector,
        delivery: Delivery,
        alarm: Alarm,
        *,
        prepare: Callable[[], None],
        connected: Callable[[], None],
        disconnected: Callable[[], None],
        target: str = "the deployment",
        connect_timeout: float,
        max_message_size: int,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self.is_connecting: bool = False
        self._core = core
        self._connect = connect
        self._delivery = delivery
        self._alarm = alarm
        self._prepare = prepare
        self._connected = connected
        self._gone = disconnected
        self._target = target
        self._connect_timeout = connect_timeout
        self._warned = False
        self._decoder = FrameDecoder(limit=max_message_size)
        self._loop = loop
        self._clock = clock
        self._cut: asyncio.Future[str] | None = None
        self._resting: Transport | None = None  # while the writer has nothing to write
        self._goodbyes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Keep a socket open whenever the core wants one, until cancelled.

        Raises:
            ProtocolError: no socket will ever open.
        """
        try:
            while True:
                await self._until_due()
                transport = await self._open()
                if transport is not None:
                    await self._use(transport)
        finally:
            self.is_connecting = False

    async def send_now(self) -> None:
        """Let go out what waits: a request alone at once, else all of this tick together.

        Going through the writer costs the loop a turn, a tenth of what a call takes.
        """
        transport = self._resting
        if (
            transport is not None
            and transport.is_clear
            and (message := self._core.lone_message()) is not None
        ):
            try:
                await transport.send(encode_message(message))
            except ConnectionClosed as closed:
                self.cut(closed.reason)
        else:
            self._alarm.set()

    def cut(self, reason: str) -> None:
        """Let the socket go, if there is one."""
        if self._cut is not None and not self._cut.done():
            self._cut.set_result(reason)

    async def farewell(self) -> None:
        """Wait until the sockets that went have been said goodbye to."""
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    # How

    async def _until_due(self) -> None:
        """Wait until the core wants a socket."""
        while True:
            connection = self._core.connection
            delay = None
            if isinstance(connection, Offline) and connection.retry_at is not None:
                delay = connection.retry_at - self._clock()
                if delay <= 0:
                    return
            self._alarm.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._alarm.wait()
            except TimeoutError:
                pass

    async def _open(self) -> Transport | None:
        self._prepare()
        self.is_connecting = True
        self._delivery.settle()
        logger.debug("connecting to %s", self._target)
        began = self._clock()
        try:
            async with asyncio.timeout(self._connect_timeout):
                transport = await self._connect()
        except (TransportError, TimeoutError) as error:
            reason = str(error) or f"no answer within {self._connect_timeout} s"
            failure = error if isinstance(error, TransportError) else TransportError(reason)
            self.is_connecting = False
            self._disconnected(reason)
            self._delivery.tell_connected(failure)
            return None
        self.is_connecting = False
        again = " again" if self._core.connection_count else ""
        level = logging.INFO if self._warned else logging.DEBUG  # who was warned is told the end
        logger.log(level, "connected%s to %s in %.3f s", again, self._target, self._clock() - began)
        self._warned = False
        return transport

    async def _use(self, transport: Transport) -> None:
        """Pump frames both ways until the socket goes."""
        self._core.connected(now=self._clock())
        self._connected()
        self._decoder.clear()
        self._cut = self._loop.create_future()
        self._delivery.settle()
        self._delivery.tell_connected()
        tasks: list[asyncio.Future[str]] = [
            self._loop.create_task(self._read(transport)),
            self._loop.create_task(self._write(transport)),
            self._cut,
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reason = next(task.result() for task in tasks if task.done())
            await self._stop_pumping(tasks)  # here too: a client may be closed meanwhile
        except BaseException:
            await self._stop_pumping(tasks)
            await transport.close(timeout=GOODBYE)
            raise
        # Not awaited here: a dead peer must not hold up the next socket.
        goodbye = self._loop.create_task(transport.close(timeout=GOODBYE))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)
        self._disconnected(reason)

    async def _stop_pumping(self, tasks: list[asyncio.Future[str]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._cut = None

    async def _read(self, transport: Transport) -> str:
        """Hand frames to the core; returns why the socket went."""
        core, clock, told = self._core, self._clock, self._delivery.received
        worked = 0.0  # seconds since others had their turn; waiting is none of it
        while True:
            try:
                frame = await transport.receive()
            except ConnectionClosed as closed:
                return closed.reason
            now = clock()
            if frame is None:
                core.heard(now=now)
            else:
                try:
                    message = self._decoder.decode(frame)
                except RemoteProtocolError as error:
                    return f"ProtocolError: {error}"
                if message is not None:
                    core.received(message, now=now)
                    told()
            worked += clock() - now
            if worked > SLICE:
                await asyncio.sleep(0)
                worked = 0.0

    async def _write(self, transport: Transport) -> str:
        """Send what the core gives, the one gate for it; returns why the socket went."""
        try:
            while True:
                self._alarm.clear()
                for message in self._core.messages_to_send():
                    await transport.send(encode_message(message))
                self._resting = transport
                await self._alarm.wait()
                self._resting = None
        except ConnectionClosed as closed:
            return closed.reason
        finally:
            self._resting = None

    def trouble(self) -> str:
        """Why there is no socket; empty if there is one, or none was tried for yet."""
        core = self._core
        if isinstance(core.connection, Online | Halted):
            return ""
        if not core.has_ended_before:
            return f"still connecting to {self._target}" if self.is_connecting else ""
        reason = escaped(without_secrets(core.last_close_reason))[:SHOWN]
        return f"not connected, {core.retries} failed tries: {reason}"

    def _disconnected(self, reason: str) -> None:
        credential = self._core.identity.credential
        reason = without_secrets(reason, [credential.value if credential else None])
        self._gone()
        self._core.disconnected(
            reason,
            now=self._clock(),
            jitter=random.random(),
            too_large=reason.startswith(TOO_LARGE),
        )
        self._delivery.settle()
        self._tell_of_failure(reason)

    def _tell_of_failure(self, reason: str) -> None:
        """Log it: a loss now and then is nobody's concern, tries that keep failing are."""
        core, tries = self._core, self._core.retries
        is_warning = (
            tries >= PATIENCE and (tries // PATIENCE).bit_count() == 1 and (tries % PATIENCE == 0)
        )
        level = logging.WARNING if is_warning else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        self._warned = self._warned or is_warning
        match core.connection:
            case Offline(float(retry_at)):
                then = f"the next try is in {max(retry_at - self._clock(), 0.0):.1f} s"
            case Halted():
                then = "there will be no other try"
            case _:
                then = "a token has to come before the next try"
        shown = escaped(without_secrets(reason))[:SHOWN]
        if is_warning:
            logger.warning(
                "no connection to %s after %d tries: %s; %s", self._target, tries, shown, then
            )
        else:
            logger.debug("disconnected from %s: %s; %s", self._target, shown, then)
