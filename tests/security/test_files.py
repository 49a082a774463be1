"""What a deployment keeps on the disk is its owner's alone, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from convex_async.local import Functions, LocalDeployment
from convex_async.local.definitions.http_actions import Response
from convex_async.local.store.files import Files
from tests.integration.backend import make_functions
from tests.local.calls import until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """What is made is everybody's, unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def with_uploads() -> Functions:
    functions = make_functions()

    @functions.mutation("files:url")
    async def url(ctx: Any) -> Any:
        return await ctx.storage.generate_upload_url()

    return functions


def modes(folder: Path) -> dict[str, int]:
    return {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.name != "backend.py"
    }


@pytest.mark.parametrize("before", [None, 0o666], ids=["new", "wider before"])
async def test_data_and_files_are_the_owners_alone(
    tmp_path: Path, session: aiohttp.ClientSession, before: int | None
) -> None:
    data = tmp_path / "data.sqlite3"
    if before is not None:
        async with LocalDeployment(with_uploads(), data):
            pass
        data.chmod(before)
    async with LocalDeployment(with_uploads(), data) as deployment:
        await deployment.run("notes:add", {"text": "private"})
        upload = await deployment.run("files:url")
        async with session.post(upload, data=b"private") as response:
            assert response.status == 200
        found = modes(tmp_path)
        assert len(found) > 3
        assert {mode & 0o077 for mode in found.values()} == {0}, found


def test_a_folder_of_files_that_is_wider_is_narrowed(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir(mode=0o777)
    files = Files(folder, bytes(32))

    async def write() -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"private"

        await files.write(chunks(), None)

    asyncio.run(write())
    files.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_an_upload_that_fails_leaves_no_bytes(
    tmp_path: Path, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LocalDeployment(with_uploads(), tmp_path / "data.sqlite3") as deployment:
        upload = await deployment.run("files:url")
        engine = deployment._running()

        def left() -> list[Path]:
            return [path for path in tmp_path.rglob("*-*-*-*-*") if path.is_file()]

        # A content type that is no text.
        port = int(deployment.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        target = upload.removeprefix(deployment.url)
        writer.write(
            f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n".encode()
            + b"Connection: close\r\nContent-Type: \xff\xfe\r\n\r\nx"
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        assert left() == []

        async def fail(change: object) -> str:
            raise OSError("the disk is full")

        monkeypatch.setattr(engine, "transact", fail)
        async with session.post(upload, data=b"x") as response:
            assert response.status == 500
        await until(lambda: left() == [])


async def test_an_answer_that_can_not_be_sent_is_a_failure(
    session: aiohttp.ClientSession,
) -> None:
    functions = make_functions()
    answers = {
        "/value": Response("x", headers={"Location": "/a\r\nSet-Cookie: sid=1"}),
        "/name": Response("x", headers={"A\r\nSet-Cookie": "sid=1"}),
        "/null": Response("x", headers={"A": "\0"}),
        "/status": Response("x", status=99),
    }

    async def act(ctx: Any, request: Any) -> Response:
        return answers[request.path]

    for path in answers:
        functions.http.add("GET", path, act)
    async with LocalDeployment(functions) as deployment:
        for path in answers:
            async with session.get(deployment.site_url + path) as response:
                assert response.status == 500, path
                assert "Set-Cookie" not in response.headers
                assert "answers with" in await response.text()


def test_what_a_killed_process_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = (
        "import os, signal\nfrom convex_async.local.store.files import Files\n"
        "files = Files(None, bytes(32))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}
    killed = subprocess.run([sys.executable, "-c", program], env=env, check=False)
    assert killed.returncode < 0
    (left,) = tmp_path.iterdir()
    living = Files(None, bytes(32))
    assert not left.exists()
    other = Files(None, bytes(32))  # the one that lives stays
    assert len(list(tmp_path.iterdir())) == 2
    for files in (living, other):
        files.close()
    assert list(tmp_path.iterdir()) == []
