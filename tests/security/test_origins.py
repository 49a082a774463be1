"""A deployment on the loopback interface, in a world of web pages."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from convex_async.local import LocalDeployment
from convex_async.local.server.origins import Origins
from tests.integration.backend import make_functions

CALL = {"path": "notes:list", "args": {}}
HELLO = {
    "type": "Connect",
    "sessionId": "00000000-0000-4000-8000-000000000000",
    "connectionCount": 0,
    "lastCloseReason": None,
}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3210", "x.localhost", "localhost.evil.example", "[", "a b"],
)
async def test_a_name_that_may_lead_anywhere_is_not_answered(
    deployment: LocalDeployment, session: aiohttp.ClientSession, host: str
) -> None:
    for url in (f"{deployment.url}/api/query", f"{deployment.site_url}/any"):
        async with session.post(url, json=CALL, headers={"Host": host}) as response:
            assert response.status == 403
            assert (await response.json())["code"] == "HostNotAllowed"
    for path in ("/api/sync", "/version", "/api/storage/x", "/.well-known/jwks.json"):
        headers = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade"}
        async with session.get(deployment.url + path, headers=headers) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    "host", ["localhost:3210", "LOCALHOST", "127.0.0.1", "[::1]:1", "10.1.2.3"]
)
async def test_localhost_and_addresses_are_answered(
    deployment: LocalDeployment, session: aiohttp.ClientSession, host: str
) -> None:
    url = f"{deployment.url}/api/query"
    async with session.post(url, json=CALL, headers={"Host": host}) as response:
        assert response.status == 200


async def test_a_name_that_is_allowed_is_answered(session: aiohttp.ClientSession) -> None:
    async with LocalDeployment(make_functions(), allow_hosts=["Dev.Example"]) as deployment:
        url = f"{deployment.url}/api/query"
        headers = {"Host": "dev.example:8080"}
        async with session.post(url, json=CALL, headers=headers) as response:
            assert response.status == 200


def test_who_listens_for_others_answers_to_any_name() -> None:
    assert Origins("0.0.0.0").answers_to("anything.example")
    assert Origins("::").answers_to("anything.example")
    assert not Origins("::1").answers_to("anything.example")
    assert not Origins("127.0.0.2").answers_to("anything.example")
    assert Origins("127.0.0.1").answers_to(None)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://10.1.2.3", "http://["])
async def test_the_admin_key_is_not_taken_from_a_foreign_page(
    deployment: LocalDeployment, session: aiohttp.ClientSession, origin: str
) -> None:
    key = deployment.admin_key
    headers = {"Origin": origin, "Authorization": f"Convex {key}"}
    url = f"{deployment.url}/api/query"
    for site in (url, f"{deployment.site_url}/any"):
        async with session.post(site, json=CALL, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["code"] == "ForeignOrigin"
    in_url = {"adminKey": key}
    async with session.post(url, json=CALL, headers={"Origin": origin}, params=in_url) as response:
        assert response.status == 403
    async with session.ws_connect(
        f"{deployment.url}/api/sync", headers={"Origin": origin}
    ) as socket:
        await socket.send_json(HELLO)
        authenticate = {"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin"}
        await socket.send_json({**authenticate, "value": key})
        answer = await socket.receive_json(timeout=5)
        assert (answer["type"], "origin" in answer["error"]) == ("AuthError", True)


async def test_the_admin_key_is_taken_from_a_page_of_this_machine_and_from_programs(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Convex {deployment.admin_key}"}
    for origin in ({}, {"Origin": "http://localhost:5173"}, {"Origin": "http://127.0.0.1:5173"}):
        url = f"{deployment.url}/api/query"
        async with session.post(url, json=CALL, headers={**headers, **origin}) as response:
            assert response.status == 200


async def test_answers_differ_by_origin_and_say_so(
    deployment: LocalDeployment, session: aiohttp.ClientSession
) -> None:
    for headers in ({}, {"Origin": "https://page.example"}):
        url = f"{deployment.url}/api/query"
        async with session.post(url, json=CALL, headers=headers) as response:
            assert "Origin" in response.headers["Vary"]
            assert response.headers.get("Access-Control-Allow-Origin") == headers.get("Origin")
        async with session.options(url, headers=headers) as response:
            assert "Origin" in response.headers["Vary"]


async def test_serve_for_others_warns_and_names_urls_that_work(tmp_path: Path) -> None:
    (tmp_path / "backend.py").write_text(
        "from convex_async.local import Functions\nfunctions = Functions()\n"
    )
    command = [sys.executable, "-m", "convex_async.cli", "serve", "backend:functions"]
    process = await asyncio.create_subprocess_exec(
        *command, "--host", "0.0.0.0", "--port", "0", cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        serving = (await process.stdout.readline()).decode().rstrip()
        url = serving.rpartition(" ")[2]
        assert url.startswith("http://127.0.0.1:")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/version") as response:
            assert response.status == 200
        assert b"Warning" in await process.stderr.readline()
    finally:
        process.terminate()
        await process.wait()
