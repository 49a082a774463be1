from __future__ import annotations

import hashlib
import io
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from convex_async import RequestTimeoutError, StorageError, api
from convex_async.http import ConvexHttpClient
from convex_async.local import Functions, LocalDeployment, MutationContext, QueryContext
from tests.files.storage import Storage

SECRET = "5" * 20
DATA = bytes(range(256)) * 4096  # 1 MiB: more than one chunk


def sha256(data: bytes) -> str:
    return "sha-256=" + b64encode(hashlib.sha256(data).digest()).decode()


async def test_a_path_is_stored_with_its_guessed_type_and_digest(
    storage: Storage, client: ConvexHttpClient, tmp_path: Path
) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(DATA)
    steps: list[tuple[int, int | None]] = []
    storage_id = await client.upload(
        path, url=storage.url("/upload"), progress=lambda sent, total: steps.append((sent, total))
    )
    assert storage_id == "kg1"
    data, headers = storage.stored[0]
    assert data == DATA
    assert headers["Content-Type"] == "application/pdf"
    assert headers["Digest"] == sha256(DATA)
    assert headers["Content-Length"] == str(len(DATA))
    assert "Authorization" not in headers
    assert [sent for sent, _ in steps] == [2**18, 2**19, 3 * 2**18, 2**20]
    assert steps[-1] == (len(DATA), len(DATA))


async def test_bytes_files_and_streams(
    storage: Storage, client: ConvexHttpClient, tmp_path: Path
) -> None:
    url = storage.url("/upload")

    async def stream() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    file = io.BytesIO(b"skipped, sent")
    file.seek(len(b"skipped, "))
    await client.upload(b"bytes", url=url, content_type="text/plain")
    await client.upload(bytearray(b"array"), url=url)
    await client.upload(file, url=url)
    await client.upload(stream(), url=url)
    await client.upload(b"", url=url)
    (tmp_path / "a.png").write_bytes(b"png")
    with (tmp_path / "a.png").open("rb") as opened:
        await client.upload(opened, url=url)
    assert [data for data, _ in storage.stored] == [
        b"bytes", b"array", b"sent", b"one two", b"", b"png",
    ]  # fmt: skip
    headers = [headers for _, headers in storage.stored]
    assert headers[0]["Content-Type"] == "text/plain"
    assert headers[2]["Digest"] == sha256(b"sent")
    assert "Digest" not in headers[3]
    assert headers[3]["Transfer-Encoding"] == "chunked"
    assert headers[5]["Content-Type"] == "image/png"


async def test_the_url_may_be_a_mutation(storage: Storage, client: ConvexHttpClient) -> None:
    assert await client.upload(b"x", url="files:generateUploadUrl") == "kg1"
    assert await client.upload(b"x", url=api.files.generateUploadUrl) == "kg2"


@pytest.mark.parametrize(("status", "outcome"), [(401, "not_sent"), (500, "unknown")])
async def test_a_refused_upload_says_whether_anything_was_stored(
    storage: Storage, client: ConvexHttpClient, status: int, outcome: str
) -> None:
    storage.status = status
    url = storage.url(f"/upload?token={SECRET}")
    with pytest.raises(StorageError, match="StorageTokenExpired") as raised:
        await client.upload(DATA, url=url)
    assert raised.value.outcome == outcome
    assert raised.value.status == status
    assert raised.value.code == "StorageTokenExpired"
    assert not raised.value.retryable
    assert ("nothing was stored" in str(raised.value)) == (outcome == "not_sent")
    assert SECRET not in "".join(traceback.format_exception(raised.value))


async def test_an_upload_that_breaks_off_stored_nothing(
    storage: Storage, client: ConvexHttpClient
) -> None:
    storage.cut_at = 1000
    url = storage.url(f"/upload?token={SECRET}")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**16)

    with pytest.raises(StorageError, match="nothing was stored") as raised:
        await client.upload(endless(), url=url)
    assert raised.value.outcome == "not_sent"
    assert raised.value.retryable
    await storage.server.close()
    with pytest.raises(StorageError, match="nothing was stored") as raised:
        await client.upload(b"x", url=url)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


async def test_silence_after_the_whole_file_leaves_it_unknown(
    storage: Storage, client: ConvexHttpClient
) -> None:
    storage.silent.clear()
    with pytest.raises(RequestTimeoutError, match="may have been stored") as raised:
        await client.upload(b"x", url=storage.url("/upload"), timeout=0.1)
    assert raised.value.outcome == "unknown"


async def test_a_fault_of_the_source_is_the_sources_own(
    storage: Storage, client: ConvexHttpClient, tmp_path: Path
) -> None:
    url = storage.url("/upload")

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await client.upload(broken(), url=url)
    with pytest.raises(FileNotFoundError):
        await client.upload(tmp_path / "none", url=url)
    with pytest.raises(TypeError, match="binary"):
        await client.upload(io.StringIO("text"), url=url)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an upload is"):
        await client.upload(5, url=url)  # type: ignore[arg-type]
    assert storage.stored == []


async def test_the_arguments_of_an_upload_are_the_mutations() -> None:
    functions = Functions()

    @functions.mutation("files:make")
    async def make(ctx: MutationContext, room: str) -> str:
        await ctx.db.insert("rooms", {"room": room})
        return await ctx.storage.generate_upload_url()

    @functions.query("files:rooms")
    async def rooms(ctx: QueryContext) -> list[str]:
        return [row["room"] for row in await ctx.db.query("rooms").collect()]

    async with LocalDeployment(functions) as local, ConvexHttpClient(local.url) as client:
        await client.upload(b"one", url="files:make", args={"room": "red"})
        assert await client.query("files:rooms") == ["red"]
        with pytest.raises(ValueError, match="args= are a mutation's"):
            await client.upload(b"two", url=local.url + "/upload", args={"room": "red"})
