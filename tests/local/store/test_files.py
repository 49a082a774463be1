"""Files on the disk: kept whole or not at all, and gone when they are removed."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from convex_async.local import Functions
from convex_async.local.problems import DeploymentProblem
from convex_async.local.store.documents import STORAGE
from convex_async.local.store.files import Files
from tests.local.calls import act, mutate, read, running, until

DATA = bytes(range(256))
SECRET = bytes(32)
DIGEST = b64encode(hashlib.sha256(DATA).digest()).decode()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path / "files", SECRET)
    yield files
    files.close()


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def kept(files: Files) -> list[bytes]:
    return [path.read_bytes() for path in files._folder.glob("*")]


@pytest.mark.parametrize("digest", [None, f"sha-256={DIGEST}", f"SHA-256={DIGEST}"])
async def test_a_file_is_kept_as_it_comes(files: Files, digest: str | None) -> None:
    about = await files.write(chunks(DATA[:100], b"", DATA[100:]), digest)
    assert about == {"name": about["name"], "sha256": DIGEST, "size": 256.0}
    assert files.path(about["name"]).read_bytes() == DATA
    assert kept(files) == [DATA]


@pytest.mark.parametrize(
    ("digest", "code"),
    [
        (f"sha-256={b64encode(bytes(32)).decode()}", "Sha256Mismatch"),
        (f"sha-512={DIGEST}", "BadHeader"),
        (f"sha-256={DIGEST[:-4]}", "BadHeader"),
        ("sha-256=?", "BadHeader"),
        (DIGEST, "BadHeader"),
    ],
)
async def test_what_is_not_as_its_digest_says_is_not_kept(
    files: Files, digest: str, code: str
) -> None:
    with pytest.raises(DeploymentProblem) as caught:
        await files.write(chunks(DATA), digest)
    assert caught.value.code == code
    assert kept(files) == []


async def test_what_comes_in_part_is_not_kept(files: Files) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.write(breaking(), None)
    assert kept(files) == []


async def test_an_upload_that_is_cancelled_is_not_kept(files: Files) -> None:
    written = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield DATA
        written.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(files.write(stalling(), None))
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept(files) == []


@pytest.mark.parametrize("name", ["", "..", "../data.sqlite3", "data.sqlite3", "x" * 36])
def test_a_name_leads_nowhere_else(files: Files, name: str) -> None:
    with pytest.raises(DeploymentProblem) as caught:
        files.path(name)
    assert caught.value.code == "InvalidStoragePath"


def token_of(files: Files) -> str:
    return parse_qs(urlsplit(files.make_upload_url()).query)["token"][0]


def code_of(files: Files, token: str) -> str | None:
    try:
        files.check_token(token)
    except DeploymentProblem as problem:
        return problem.code
    return None


def test_upload_urls_end(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    first = token_of(files)
    assert code_of(files, first) is None
    monkeypatch.setattr("convex_async.local.store.files.time.time", lambda: now + 3601)
    second = token_of(files)
    assert (code_of(files, first), code_of(files, second)) == ("StorageTokenExpired", None)


def test_upload_urls_are_of_who_has_the_secret(files: Files, tmp_path: Path) -> None:
    token = token_of(files)
    assert token != token_of(files)
    for secret, told in ((SECRET, None), (b"x" * 32, "StorageTokenInvalid")):
        other = Files(tmp_path / "files", secret)
        assert code_of(other, token) == told
        other.close()
    changed = ("B" if token[0] != "B" else "C") + token[1:]
    for wrong in ("", "nonsense", "AAAA", "é", changed, token[:-4], token[4:]):
        assert code_of(files, wrong) == "StorageTokenInvalid"


def test_a_temporary_folder_goes_with_its_deployment() -> None:
    files = Files(None, SECRET)
    folder = files._folder
    asyncio.run(files.write(chunks(DATA), None))
    assert kept(files) == [DATA]
    files.close()
    assert not folder.exists()


def make_functions() -> Functions:
    functions = Functions()

    @functions.query("files:about")
    async def about(ctx: Any, id: str) -> Any:
        return [await ctx.storage.get_url(id), await ctx.storage.get_metadata(id)]

    @functions.action("files:about_by_action")
    async def about_by_action(ctx: Any, id: str) -> Any:
        return [await ctx.storage.get_url(id), await ctx.storage.get_metadata(id)]

    @functions.mutation("files:remove")
    async def remove(ctx: Any, id: str, then: str = "") -> Any:
        await ctx.storage.delete(id)
        if then:
            raise ValueError(then)

    @functions.action("files:remove_by_action")
    async def remove_by_action(ctx: Any, id: str) -> Any:
        await ctx.storage.delete(id)

    return functions


@pytest.mark.parametrize("kind", ["mutation", "action"])
async def test_a_file_that_is_removed_is_gone_from_the_disk(tmp_path: Path, kind: str) -> None:
    async with running(make_functions(), tmp_path / "data.sqlite3") as engine:

        async def stored() -> str:
            about = {**await engine.files.write(chunks(DATA), None), "contentType": None}
            return await engine.transact(lambda t: t.insert_system(STORAGE, about))

        ids = [await stored(), await stored()]
        await engine.transact(lambda t: t.patch_system(ids[0], {"contentType": "image/x"}))
        url, metadata = await read(engine, "files:about", id=ids[0])
        assert url.startswith("/api/storage/")
        assert metadata == {
            "storageId": ids[0],
            "sha256": DIGEST,
            "size": 256,
            "contentType": "image/x",
        }
        assert await act(engine, "files:about_by_action", id=ids[0]) == [url, metadata]
        with pytest.raises(AssertionError, match="changed its mind"):
            await mutate(engine, "files:remove", id=ids[0], then="changed its mind")
        assert len(kept(engine.files)) == 2
        if kind == "mutation":
            await mutate(engine, "files:remove", id=ids[0])
        else:
            await act(engine, "files:remove_by_action", id=ids[0])
        await until(lambda: len(kept(engine.files)) == 1)
        assert await read(engine, "files:about", id=ids[0]) == [None, None]
        assert (await read(engine, "files:about", id=ids[1]))[1]["storageId"] == ids[1]
        with pytest.raises(AssertionError, match=r"storage id \S+ not found"):
            await mutate(engine, "files:remove", id=ids[0])
        with pytest.raises(AssertionError, match="Invalid storage ID"):
            await read(engine, "files:about", id="nonsense")


async def test_bytes_that_can_not_be_removed_fail_no_mutation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[str] = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        threads.append(threading.current_thread().name)
        raise PermissionError("the folder is read-only")

    async with running(make_functions(), tmp_path / "data.sqlite3") as engine:
        about = {**await engine.files.write(chunks(DATA), None), "contentType": None}
        made = await engine.transact(lambda t: t.insert_system(STORAGE, about))
        monkeypatch.setattr(Path, "unlink", unlink)
        await mutate(engine, "files:remove", id=made)
        assert await read(engine, "files:about", id=made) == [None, None]
    (thread,) = threads
    assert thread != threading.main_thread().name
    assert "the folder is read-only" in caplog.text


async def test_an_action_stores_and_gets_files() -> None:
    functions = make_functions()

    @functions.action("files:keep")
    async def keep(ctx: Any, data: bytes, kind: str) -> Any:
        made = await ctx.storage.store(data, content_type=kind)
        untyped = await ctx.storage.store(bytearray(data))
        return [made, await ctx.storage.get(made), await ctx.storage.get_metadata(untyped)]

    @functions.action("files:drop")
    async def drop(ctx: Any, id: str) -> Any:
        await ctx.storage.delete(id)
        return await ctx.storage.get(id)

    async with running(functions) as engine:
        made, data, untyped = await act(engine, "files:keep", data=DATA, kind="image/x")
        assert data == DATA
        assert (untyped["sha256"], untyped["contentType"]) == (DIGEST, None)
        assert (await read(engine, "files:about", id=made))[1]["contentType"] == "image/x"
        assert await act(engine, "files:drop", id=made) is None
