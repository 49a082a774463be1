"""One request, by anybody, neither stops a deployment nor makes it say more than a refusal."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from convex_async import function_path
from convex_async.function_path import canonical_path
from convex_async.local import LocalDeployment
from tests.security.heartbeat import Heartbeat

# Seconds of the processor that one turn of the loop may take.
TURN = 0.05
PATHS = {
    "of letters": "a" * 100_000 + "!:x",
    "of underscores": "_" * 100_000 + ":x",
    "of modules": "a/" * 100_000 + "b:x",
    "a long name": "a:" + "x" * 1_000_000,
}
DEEP = b"[" * 100_000


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_a_path_is_soon_refused(
    deployment: LocalDeployment, session: aiohttp.ClientSession, path: str
) -> None:
    async with Heartbeat() as heart:
        url = f"{deployment.url}/api/query"
        async with session.post(url, json={"path": path, "args": {}}) as response:
            refusal = await response.json()
            assert response.status == 400
    assert refusal["code"] == "BadConvexFunctionIdentifier"
    assert len(refusal["message"]) < 2_000
    assert heart.longest < TURN


async def test_a_path_on_a_socket_is_soon_refused(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    add = {"type": "Add", "queryId": 0, "udfPath": PATHS["of letters"], "args": [{}]}
    hello = {"type": "Connect", "sessionId": "0" * 8 + "-0000-4000-8000-" + "0" * 12}
    async with session.ws_connect(f"{deployment.url}/api/sync") as socket:
        await socket.send_json({**hello, "connectionCount": 0, "lastCloseReason": None})
        modify = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1}
        async with Heartbeat() as heart:
            await socket.send_json({**modify, "modifications": [add]})
            answer = await socket.receive_str(timeout=5)
    assert len(answer) < 2_000
    assert heart.longest < TURN


def test_the_cache_of_paths_stays_small() -> None:
    tracemalloc.start()
    try:
        for number in range(60):
            with pytest.raises(ValueError, match="characters"):
                canonical_path(f"{'a/' * 1_000_000}m{number}:x")
        for number in range(1_500):
            canonical_path(f"{('a' * 60 + '/') * 65}m{number}:x")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        function_path._canonical.cache_clear()
    assert kept < 10 * 2**20


@pytest.mark.parametrize(
    "body",
    [DEEP, b'{"path":"notes:list","args":' + DEEP, b'{"queries":[' + DEEP],
    ids=["body", "arguments", "batch"],
)
async def test_deep_json_is_a_bad_request(
    deployment: LocalDeployment, session: aiohttp.ClientSession, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    for route in (
        "query",
        "mutation",
        "action",
        "function",
        "query_batch",
        "query_at_ts",
        "run/a/b",
    ):
        url = f"{deployment.url}/api/{route}"
        async with session.post(url, data=body, headers=headers) as response:
            refusal = msgspec.json.decode(await response.read())
            assert response.status == 400, route
        assert refusal["code"] == "BadJsonBody", route
        assert len(refusal["message"]) < 2_000


async def test_deep_arguments_in_a_url_are_a_failure(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    for args in ("[" * 3_000, '{"a":' * 1_000):
        query = {"path": "notes:list", "args": args}
        async with session.get(f"{deployment.url}/api/query", params=query) as response:
            assert response.status in (200, 400)
            assert "Traceback" not in await response.text()


async def test_a_user_to_act_as_that_is_deep_json_is_a_bad_request(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    user = b64encode(b"[" * 5_000).decode()
    headers = {"Authorization": f"Convex {deployment.admin_key}:{user}"}
    url = f"{deployment.url}/api/query"
    body = {"path": "notes:list", "args": {}}
    async with session.post(url, json=body, headers=headers) as response:
        assert response.status == 400
