"""Both routes of the socket, and what the server reads from the request that opens it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from convex_async.local import LocalDeployment
from convex_async.local.server.client_version import ClientVersion, accepts_deflate, client_version
from tests.integration.backend import make_functions
from tests.local.wire import connected, mutation

STATE = "x-convex-deprecation-state"


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.mark.parametrize("path", ["/api/sync", "/api/1.48.0/sync", "/api/2.0.0-beta.1+x/sync"])
async def test_both_routes_are_one(deployment: LocalDeployment, path: str) -> None:
    async with connected(deployment, path) as wire:
        await wire.send(mutation(0, "notes:touch"))
        assert (await wire.receive())["success"]


async def answer(
    deployment: LocalDeployment, header: str | None, path: str = "/api/sync"
) -> tuple[int, str | None, str | None]:
    """Status, error code and deprecation state of an upgrade."""
    headers = {} if header is None else {"Convex-Client": header}
    headers |= {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.get(deployment.url + path, headers=headers) as response,
    ):
        code = None if response.status == 101 else (await response.json())["code"]
        message = response.headers.get("x-convex-deprecation-message")
        assert (message is None) == (STATE not in response.headers)
        return response.status, code, response.headers.get(STATE)


@pytest.mark.parametrize(
    ("header", "status", "code", "state"),
    [
        (None, 101, None, None),
        ("npm-1.48.0", 101, None, None),
        ("npm-0.19.2", 101, None, None),
        ("npm-0.19.1", 400, "ClientVersionUnsupported", "Unsupported"),
        ("npm-0.19.1-alpha", 400, "ClientVersionUnsupported", "Unsupported"),
        ("python-0.2.0", 101, None, "UpgradeRequired"),
        ("python-0.2.1-a1", 101, None, None),
        ("python-0.0.2", 400, "ClientVersionUnsupported", "Unsupported"),
        ("python-1.0", 400, "ClientVersionUnsupported", "Unsupported"),
        ("rust-unknown", 400, "ClientVersionUnsupported", "Unsupported"),
        ("my-own-client-0.0.1", 101, None, None),
        ("esolang-whatever", 101, None, None),
        ("npm", 400, "InvalidClientVersion", None),
    ],
)
async def test_old_clients_are_told_or_refused(
    deployment: LocalDeployment,
    header: str | None,
    status: int,
    code: str | None,
    state: str | None,
) -> None:
    assert await answer(deployment, header) == (status, code, state)


async def test_the_version_in_the_path_counts_only_without_a_header(
    deployment: LocalDeployment,
) -> None:
    assert await answer(deployment, "rust-0.10.4", "/api/nonsense/sync") == (101, None, None)
    refused = (400, "InvalidClientVersion", None)
    assert await answer(deployment, None, "/api/1.2/sync") == refused
    old = (400, "ClientVersionUnsupported", "Unsupported")
    assert await answer(deployment, None, "/api/0.18.0/sync") == old


@pytest.mark.parametrize(
    ("header", "path", "takes_chunks", "wants_plain_json"),
    [
        ("npm-1.28.0", None, True, True),
        ("npm-1.28.0-alpha.1", None, False, True),
        ("npm-1.27.9", None, False, True),
        ("npm-1.4.0", None, False, False),
        ("NPM-1.48.0", None, True, True),
        ("npm-cli-1.48.0", None, False, True),
        ("python-0.4.9", None, False, False),
        ("python-convex-0.5.0", None, False, True),
        ("rust-0.1.0", None, False, True),
        ("convex-async-9.0.0", None, False, True),
        (None, "1.28.0", True, True),
        (None, "1.4.0", False, False),
        ("rust-0.10.4", "1.48.0", False, True),
        (None, None, False, True),
    ],
)
def test_what_a_client_can_take(
    header: str | None, path: str | None, takes_chunks: bool, wants_plain_json: bool
) -> None:
    version = client_version(header, path)
    assert (version.takes_chunks, version.wants_plain_json) == (takes_chunks, wants_plain_json)


@pytest.mark.parametrize(
    ("header", "client", "version"),
    [
        ("a-b-1.2.3", "a-b", (1, 2, 3, True)),
        ("a-1.2.3-4.5.6", "a", (1, 2, 3, False)),
        ("a-01.2.3", "a", None),
        ("a-b-c", "a", None),
        ("a-1.2.3-", "a", None),
    ],
)
def test_the_longest_version_at_the_end_counts(
    header: str, client: str, version: tuple[int, int, int, bool] | None
) -> None:
    assert client_version(header, None) == ClientVersion(client, version)


@pytest.mark.parametrize(
    ("offers", "accepted"),
    [
        (["permessage-deflate"], True),
        (["permessage-deflate; client_max_window_bits"], True),
        (["x-webkit-deflate-frame , permessage-deflate"], True),
        (["x", "permessage-deflate"], True),
        (["permessage-deflate; client_max_window_bits=12"], False),
        (["permessage-deflate; server_no_context_takeover"], False),
        ([], False),
    ],
)
async def test_compression_is_taken_up_as_the_server_does(
    deployment: LocalDeployment, offers: list[str], accepted: bool
) -> None:
    assert accepts_deflate(offers) == accepted
    headers = {"Sec-WebSocket-Extensions": ", ".join(offers)} if offers else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{deployment.url}/api/sync",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                **headers,
            },
        ) as response,
    ):
        reply = response.headers.get("Sec-WebSocket-Extensions")
        assert reply == ("permessage-deflate" if accepted else None)


async def test_compressed_frames_are_read_and_written(deployment: LocalDeployment) -> None:
    async with connected(deployment, compress=15) as wire:
        assert wire.socket.compress
        text = "long " * 10_000
        action = {"type": "Action", "requestId": 0, "udfPath": "notes:echo"}
        for _ in range(2):  # the second is compressed with what the first left behind
            await wire.send({**action, "args": [{"value": text}]})
            assert (await wire.receive())["result"] == text
            await wire.receive()
