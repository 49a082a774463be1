"""Much in one request: it is refused or done in pieces, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import msgspec
import pytest

from convex_async.codec.values import measure
from convex_async.local import LocalDeployment
from convex_async.local.server.http_bodies import MAX_BATCH
from convex_async.protocol.server.checks import MAX_QUERIES
from tests.security.heartbeat import Heartbeat

# Seconds of the processor that one turn of the loop may take.
TURN = 0.05
JSON = {"Content-Type": "application/json"}
CONNECT = {
    "type": "Connect",
    "sessionId": "00000000-0000-4000-8000-000000000000",
    "connectionCount": 0,
    "lastCloseReason": None,
}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def batch_of(count: int) -> bytes:
    queries = [{"path": "notes:list", "args": {}}] * count
    return msgspec.json.encode({"queries": queries})


def adds(count: int, first: int = 0, version: int = 0) -> str:
    modifications = [
        {"type": "Add", "queryId": first + number, "udfPath": "notes:list", "args": [{}]}
        for number in range(count)
    ]
    message = {"type": "ModifyQuerySet", "baseVersion": version, "newVersion": version + 1}
    return msgspec.json.encode({**message, "modifications": modifications}).decode()


async def test_a_batch_of_too_many_queries_is_refused(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    body = batch_of(100_000)
    url = f"{deployment.url}/api/query_batch"
    post = session.post(url, data=BytesIO(body), headers=JSON)
    async with Heartbeat() as heart, post as response:
        refusal = await response.json()
        assert response.status == 400
    assert refusal["code"] == "BadJsonBody"
    assert refusal["message"] == f"a batch of 100000 queries: at most {MAX_BATCH}"
    assert heart.longest < TURN


async def test_a_batch_of_many_queries_is_answered_in_turns(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    count = 3_000
    body = batch_of(count)
    url = f"{deployment.url}/api/query_batch"
    post = session.post(url, data=BytesIO(body), headers=JSON)
    async with Heartbeat() as heart, post as response:
        answer = await response.read()
    assert heart.longest < TURN
    answers = msgspec.json.decode(answer)["results"]
    assert answers == [{"status": "success", "value": []}] * count


async def test_objects_in_arguments_are_no_queries_of_a_batch(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    value: list[list[dict[str, int]]] = [[{}] * 6_000] * 2
    query = {"path": "notes:list", "args": {"of": value}, "format": "json"}
    url = f"{deployment.url}/api/query_batch"
    async with session.post(url, json={"queries": [query]}) as response:
        assert response.status == 200
        (answer,) = (await response.json())["results"]
    assert "too many" not in answer.get("errorMessage", "")


async def test_a_message_of_too_many_queries_ends_its_socket(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    text = adds(50_000)
    async with session.ws_connect(f"{deployment.url}/api/sync") as socket:
        await socket.send_json(CONNECT)
        async with Heartbeat() as heart:
            await socket.send_str(text)
            answer = await socket.receive_json(timeout=10)
    assert answer["type"] == "FatalError"
    assert answer["error"].endswith(f"more than {2 * MAX_QUERIES} modifications")
    assert heart.longest < TURN


async def test_a_socket_of_too_many_queries_is_ended(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{deployment.url}/api/sync", max_msg_size=0) as socket:
        await socket.send_json(CONNECT)
        await socket.send_str(adds(MAX_QUERIES + 1))
        answer = await socket.receive_json(timeout=10)
    assert answer == {
        "type": "FatalError",
        "error": f"more than {MAX_QUERIES} queries on one socket",
    }


async def test_many_queries_of_a_socket_run_in_turns(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    count = 1_000
    text = adds(count)
    async with session.ws_connect(f"{deployment.url}/api/sync", max_msg_size=0) as socket:
        await socket.send_json(CONNECT)
        async with Heartbeat() as heart:
            await socket.send_str(text)
            answer = await socket.receive_str(timeout=30)
    assert heart.longest < TURN
    transition = msgspec.json.decode(answer)
    assert [change["queryId"] for change in transition["modifications"]] == [*range(count)]


async def test_many_small_messages_are_read_in_turns(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    event = msgspec.json.encode({"type": "Event", "eventType": "x", "event": {}}).decode()
    async with session.ws_connect(f"{deployment.url}/api/sync") as socket:
        await socket.send_json(CONNECT)
        async with Heartbeat() as heart:
            for _ in range(3_000):
                await socket.send_str(event)
            await socket.send_str(adds(1))
            answer = await socket.receive_json(timeout=10)
    assert answer["type"] == "Transition"
    assert heart.longest < TURN


def small_objects() -> bytes:
    """Arguments of 14 MB, whose size is above the limit."""
    items = b"[" + b",".join([b'{"a":1}'] * 1_000) + b"]"
    return b'{"of":[' + b",".join([items] * 1_750) + b"]}"


@pytest.mark.parametrize(
    ("kind", "name"), [("query", "list"), ("mutation", "add"), ("action", "echo")]
)
async def test_arguments_that_are_too_large_are_measured_and_not_made(
    deployment: LocalDeployment, session: aiohttp.ClientSession, kind: str, name: str
) -> None:
    args = small_objects()
    began = time.thread_time()
    measure(args, max_items=8192, max_fields=1024)
    one_look = time.thread_time() - began
    body = b'{"path":"notes:' + name.encode() + b'","args":' + args + b"}"

    async def ask() -> Any:
        url = f"{deployment.url}/api/{kind}"
        async with session.post(url, data=BytesIO(body), headers=JSON) as response:
            return await response.json()

    async with Heartbeat() as heart:
        answer = await ask()
    assert "are too large" in answer["errorMessage"]
    # Text of so many bytes can't be read in pieces: no turn has more than a look at it.
    assert heart.longest < 2 * one_look + TURN
    tracemalloc.start()
    try:
        await asyncio.wait_for(ask(), 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body)
