"""A network of one process: slow, and cut, silent or refusing whenever a seed says so."""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from convex_async import TransportError
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.results import FunctionResult, Succeeded
from convex_async.protocol.server.server_protocol import ServerProtocol
from convex_async.protocol.server.work import RunAction, RunMutation, RunQueries, Verify, Work
from convex_async.transport.base import ConnectionClosed
from tests.protocol.test_conversation import Deployment, counter_of

# Seconds.
TOKEN_LIFETIME = 300.0
PING_INTERVAL = 15.0
CLOSE_REASONS = ("InternalServerError", "CommitterFullError", "closed with code 1006")


class Socket:
    """Both ends of one connection: the client's transport, and the deployment's worker."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._to_client: deque[bytes | ConnectionClosed | None] = deque()
        self._arrived = asyncio.Event()
        self._last = {"up": 0.0, "down": 0.0}
        self._is_silent = False
        self.is_open = True
        self.protocol = ServerProtocol[Any]()
        self._ping()

    # The client's end

    is_clear = True

    async def send(self, frame: bytes) -> None:
        if not self.is_open:
            raise ConnectionClosed("FailedToSendMessage")
        self._pass("up", partial(self._receive, frame))

    async def receive(self) -> bytes | None:
        while not self._to_client:
            self._arrived.clear()
            await self._arrived.wait()
        item = self._to_client.popleft()
        if isinstance(item, ConnectionClosed):
            raise item
        return item

    async def close(self, *, timeout: float) -> None:
        self.cut("closed by the client")

    # The wire

    def cut(self, reason: str) -> None:
        """What is under way is lost, both ways."""
        self.is_open = False
        self._network.sockets.discard(self)
        self._give(ConnectionClosed(reason))

    def fall_silent(self) -> None:
        """Half open: nothing comes through any more, and nobody is told."""
        self._is_silent = True
        self._network.sockets.discard(self)

    def _pass(self, way: str, arrive: Callable[[], None]) -> None:
        """Let something arrive some time later, after what was sent before it."""
        at = max(self._last[way] + 1e-6, time.monotonic() + self._network.latency())
        self._last[way] = at
        self._loop.call_at(at, self._deliver, arrive)

    def _deliver(self, arrive: Callable[[], None]) -> None:
        if self.is_open and not self._is_silent:
            arrive()

    def _give(self, item: bytes | ConnectionClosed | None) -> None:
        self._to_client.append(item)
        self._arrived.set()

    # The deployment's end

    def _ping(self) -> None:
        if self.is_open:
            self._pass("down", partial(self._give, None))
            self._loop.call_later(PING_INTERVAL, self._ping)

    def _receive(self, frame: bytes) -> None:
        deployment = self._network.deployment
        message = decode_client_message(frame)
        self.protocol.received(message, now=time.monotonic(), ts=deployment.ts)
        self.proceed()

    def proceed(self) -> None:
        """Do what is to be done, and send what there is to say."""
        while work := self.protocol.work(now=time.monotonic()):
            for each in work:
                self._do(each)
        for message in self.protocol.messages_to_send():
            frame = encode_message(message)
            self._pass("down", partial(self._give, frame))
        if (closing := self.protocol.closing) is not None:
            self._pass("down", partial(self.cut, closing.reason or "closed with code 1005"))

    def _do(self, work: Work[Any]) -> None:
        deployment, now = self._network.deployment, time.monotonic()
        match work:
            case Verify(message):
                expires_at = self._network.tokens[message.value or ""]
                if expires_at <= now:
                    self.protocol.refused("it has expired")
                else:
                    self.protocol.verified("ada", expires_at=expires_at, now=now, ts=deployment.ts)
            case RunMutation(message, user):
                counter = counter_of(message.args)
                session = self.protocol.session_id
                assert session is not None
                outcome, ts = deployment.mutate(session, message.request_id, counter, user)
                self.protocol.mutation_done(outcome, ts)
                self._network.changed()
            case RunAction(message, _):
                self.protocol.action_done(message.request_id, Succeeded(b"null"))
            case RunQueries(queries, _, user):
                values: dict[int, FunctionResult] = {
                    query.query_id: Succeeded(deployment.get(counter_of(query.args), user))
                    for query in queries
                }
                self.protocol.queries_done(deployment.ts, values)


class Network:
    """Where sockets are opened, and what befalls them.

    Attributes:
        tokens: when each one ends.
        is_kind: nothing bad happens any more.
        is_down: nothing is to be reached.
        down: seconds for which it was so.
        tries_down: how often a socket was asked for meanwhile.
    """

    def __init__(self, rng: Random) -> None:
        self.deployment = Deployment()
        self.sockets: set[Socket] = set()
        self.tokens: dict[str, float] = {}
        self.is_kind = False
        self.is_down = False
        self.down = 0.0
        self.tries_down = 0
        self._rng = rng

    def latency(self) -> float:
        return self._rng.uniform(0.01, 0.3)

    async def fetch_token(self, *, force_refresh: bool) -> str:
        """A provider that is down now and then."""
        await asyncio.sleep(self.latency())
        if not self.is_kind and self._rng.random() < 0.2:
            raise OSError("the provider is down")
        now = time.monotonic()
        claims = msgspec.json.encode({"sub": "ada", "iat": now, "exp": now + TOKEN_LIFETIME})
        token = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.x"
        self.tokens[token] = now + TOKEN_LIFETIME
        return token

    async def connect(self) -> Socket:
        if self.is_down:
            self.tries_down += 1
            raise TransportError("the network is unreachable")
        await asyncio.sleep(self.latency())
        fate = 1.0 if self.is_kind else self._rng.random()
        if fate < 0.02:
            await asyncio.Event().wait()  # lost packets: no answer at all
        if fate < 0.2:
            raise TransportError("the deployment refused the WebSocket upgrade")
        socket = Socket(self)
        self.sockets.add(socket)
        return socket

    async def misbehave(self, seconds: float) -> int:
        """Cut and silence sockets for so long, and be down at times; returns how many sockets."""
        until, befallen = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            await asyncio.sleep(self._rng.expovariate(1 / 20))
            for socket in list(self.sockets):
                befallen += 1
                if self._rng.random() < 0.2:
                    socket.fall_silent()
                else:
                    socket.cut(self._rng.choice(CLOSE_REASONS))
            if self._rng.random() < 0.05:
                self.is_down = True
                outage = self._rng.uniform(30, 300)
                self.down += outage
                await asyncio.sleep(outage)
                self.is_down = False
        self.is_kind = True
        return befallen

    def add(self, counter: int) -> None:
        """Another client writes."""
        self.deployment.add(counter)
        self.changed()

    def changed(self) -> None:
        """A commit: every query runs again, and what is equal is not sent."""
        for socket in list(self.sockets):
            for query_id in list(socket.protocol._queries):
                socket.protocol.invalidated(query_id)
            asyncio.get_running_loop().call_soon(socket.proceed)
