from __future__ import annotations

import io
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from convex_async import RequestTimeoutError, StorageError
from convex_async.http import ConvexHttpClient
from tests.files.storage import Storage

DATA = bytes(range(256)) * 4096


@pytest.fixture(autouse=True)
def _stored(storage: Storage) -> None:
    storage.stored.append((DATA, {}))


async def test_to_bytes_a_path_or_a_file(
    storage: Storage, client: ConvexHttpClient, tmp_path: Path
) -> None:
    url, steps = storage.url("/file"), list[tuple[int, int | None]]()
    assert await client.download(url, progress=lambda *step: steps.append(step)) == DATA
    assert steps[-1] == (len(DATA), len(DATA))
    target = tmp_path / "out"
    assert await client.download(url, target) == target
    assert target.read_bytes() == DATA
    file = io.BytesIO()
    assert await client.download(url, file) is file
    assert file.getvalue() == DATA


async def test_ranges(storage: Storage, client: ConvexHttpClient) -> None:
    url = storage.url("/file")
    assert await client.download(url, start=10, end=20) == DATA[10:20]
    assert await client.download(url, start=len(DATA) - 5) == DATA[-5:]
    with pytest.raises(ValueError, match="range"):
        await client.download(url, start=5, end=5)
    with pytest.raises(StorageError) as raised:
        await client.download(url, start=len(DATA))
    assert raised.value.status == 416


async def test_chunk_by_chunk(storage: Storage, client: ConvexHttpClient) -> None:
    url = storage.url("/file")
    assert b"".join([chunk async for chunk in client.download_chunks(url)]) == DATA
    async with aclosing(client.download_chunks(url)) as chunks:
        assert DATA.startswith(await anext(chunks))


async def test_a_file_that_does_not_come_whole_leaves_nothing_behind(
    storage: Storage, client: ConvexHttpClient, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"before")
    storage.cut_at = 1000
    with pytest.raises(StorageError, match=r"connection was lost.*did not come whole"):
        await client.download(storage.url("/file"), target)
    with pytest.raises(StorageError, match="damaged"):
        await client.download(storage.url("/damaged"), target)
    with pytest.raises(StorageError) as missing:
        await client.download(storage.url("/nothing"), target)
    assert missing.value.status == 404
    assert not missing.value.retryable
    assert os.listdir(tmp_path) == ["out"]
    assert target.read_bytes() == b"before"


async def test_silence_is_a_timeout(storage: Storage, client: ConvexHttpClient) -> None:
    storage.silent.clear()
    with pytest.raises(RequestTimeoutError, match="nothing came"):
        await client.download(storage.url("/file"), timeout=0.1)
