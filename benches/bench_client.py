"""What the client itself costs, over a wire in memory, beside a bare loop over the same wire.

No socket and no other process: the client, the codec and the event loop alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any

import orjson
import pytest
from msgspec import Raw

from convex_async import ConvexClient, Subscription
from convex_async.connection.driver import Driver
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.frames import decode_client_message, encode_message
from convex_async.protocol.messages import (
    INITIAL_VERSION,
    Modification,
    ModifyQuerySet,
    Mutation,
    MutationResponse,
    QueryUpdated,
    StateVersion,
    Transition,
    format_timestamp,
)

CALLS = 200
UPDATES = 1000
FIRST = b'{"last":false,"seq":-1.0}'
ARGUMENTS = {"author": "user_1", "body": "a short message", "n": 1.0}


class Wire:
    """A transport to a deployment that answers at once."""

    is_clear = True

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._at = INITIAL_VERSION
        self._ts = 0

    async def send(self, frame: bytes) -> None:
        match decode_client_message(frame):
            case Mutation(request_id):
                answered = format_timestamp(self._ts + 1)
                self.give(MutationResponse(request_id, True, Raw(b"null"), answered, []))
                self.give(self._transition())
            case ModifyQuerySet(new_version=version, modifications=added):
                results = [QueryUpdated(add.query_id, Raw(FIRST), [], None) for add in added]
                self.give(self._transition(*results, query_set=version))
            case _:
                pass

    async def receive(self) -> bytes:
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        return self._frames.popleft()

    async def close(self, *, timeout: float) -> None:
        pass

    def give(self, message: MutationResponse | Transition) -> None:
        self._frames.append(encode_message(message))
        self._arrived.set()

    def updates(self, count: int) -> list[Transition]:
        """Transitions of the first query; the last one's `last` is true."""
        texts = (
            b'{"last":%b,"seq":%d.0}' % (b"true" if n == count - 1 else b"false", n)
            for n in range(count)
        )
        return [self._transition(QueryUpdated(0, Raw(text), [], None)) for text in texts]

    def _transition(self, *results: Modification, query_set: int | None = None) -> Transition:
        self._ts += 1
        version = self._at.query_set if query_set is None else query_set
        start, self._at = self._at, StateVersion(version, 0, format_timestamp(self._ts))
        return Transition(start, self._at, list(results))


class Bench:
    """A loop with a client, and its wire."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = ConvexClient("http://127.0.0.1:1", close_timeout=0)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def connect(self) -> Wire:
        self.wire = Wire()
        return self.wire

    async def calls(self) -> None:
        for _ in range(CALLS):
            await self.client.mutation("bench:echo", ARGUMENTS)

    async def flood(self, subscription: Subscription[Any], updates: list[Transition]) -> None:
        for update in updates:
            self.wire.give(update)
        async for value in subscription:
            if value["last"]:
                return


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench()

    def driver(core: ClientProtocol, _connect: object, **options: Any) -> Driver:
        return Driver(core, bench.connect, **options)

    monkeypatch.setattr("convex_async.client.Driver", driver)
    yield bench
    bench.run(bench.client.close())
    bench.loop.close()


def test_mutations_one_after_another(benchmark: Any, bench: Bench) -> None:
    benchmark.group = f"{CALLS} mutations, one after another"
    bench.run(bench.client.connect())
    benchmark(lambda: bench.run(bench.calls()))


def test_mutations_of_a_bare_loop(benchmark: Any, bench: Bench) -> None:
    benchmark.group = f"{CALLS} mutations, one after another"
    wire = Wire()

    async def calls() -> None:
        waiting: deque[asyncio.Future[None]] = deque()

        async def read() -> None:
            while True:
                if orjson.loads(await wire.receive())["type"] == "Transition":
                    waiting.popleft().set_result(None)

        reading = asyncio.ensure_future(read())
        call = {"type": "Mutation", "udfPath": "bench:echo", "args": [ARGUMENTS]}
        for n in range(CALLS):
            await wire.send(orjson.dumps({**call, "requestId": n}))
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[0]
        reading.cancel()

    benchmark(lambda: bench.run(calls()))


def test_small_updates(benchmark: Any, bench: Bench) -> None:
    benchmark.group = f"{UPDATES} small updates, the newest wins"
    subscriptions: list[Subscription[Any]] = []

    async def subscribe() -> None:
        subscriptions.append(bench.client.subscribe("bench:value"))
        await subscriptions[0].get()

    def flood(updates: list[Transition]) -> None:
        bench.run(bench.flood(subscriptions[0], updates))

    bench.run(subscribe())
    benchmark.pedantic(
        flood, setup=lambda: ((bench.wire.updates(UPDATES),), {}), rounds=50, warmup_rounds=3
    )
    subscriptions[0].close()


def test_small_updates_of_a_bare_loop(benchmark: Any, bench: Bench) -> None:
    benchmark.group = f"{UPDATES} small updates, the newest wins"
    wire = Wire()

    async def flood(updates: list[Transition]) -> None:
        for update in updates:
            wire.give(update)
        while True:
            update = orjson.loads(await wire.receive())
            if update["modifications"][0]["value"]["last"]:
                return

    benchmark.pedantic(
        lambda updates: bench.run(flood(updates)),
        setup=lambda: ((wire.updates(UPDATES),), {}),
        rounds=50,
        warmup_rounds=3,
    )
