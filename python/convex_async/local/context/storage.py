"""`ctx.storage`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from convex_async.local.context.runs import Runs
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import STORAGE
from convex_async.local.store.files import Files
from convex_async.local.transactions.transaction import Transaction


class ActionStorage:
    """`ctx.storage` of an action: each call is a transaction of its own."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def generate_upload_url(self) -> str:
        """A URL to which one file can be posted, for an hour."""
        return self._runs.files.make_upload_url()

    async def get_url(self, storage_id: str) -> str | None:
        """Where the file can be fetched; None if there is none."""
        return await self._runs.transact(lambda t: self._writer(t).url(storage_id))

    async def get_metadata(self, storage_id: str) -> dict[str, Any] | None:
        """What is known of a file, or None."""
        return await self._runs.transact(lambda t: self._writer(t).metadata(storage_id))

    async def delete(self, storage_id: str) -> None:
        """Remove a file."""
        await self._runs.transact(lambda t: self._writer(t).remove(storage_id))

    async def store(
        self,
        blob: bytes | bytearray | memoryview,
        content_type: str | None = None,
    ) -> str:
        """Keep a file; returns its storage id."""

        async def chunks() -> AsyncIterator[bytes]:
            yield bytes(blob)

        about = await self._runs.files.write(chunks(), None)
        about["contentType"] = content_type
        return await self._runs.transact(lambda t: t.insert_system(STORAGE, about))

    async def get(self, storage_id: str) -> bytes | None:
        """The bytes of a file, or None."""
        name = await self._runs.transact(lambda t: self._writer(t).name(storage_id))
        if name is None:
            return None
        return await asyncio.to_thread(self._runs.files.path(name).read_bytes)

    def _writer(self, transaction: Transaction) -> StorageWriter:
        return StorageWriter(self._runs.files, transaction)


class StorageReader:
    """`ctx.storage` of a query."""

    def __init__(self, files: Files, transaction: Transaction) -> None:
        self._files = files
        self._transaction = transaction

    async def get_url(self, storage_id: str) -> str | None:
        """Where the file can be fetched; None if there is none."""
        return self.url(storage_id)

    async def get_metadata(self, storage_id: str) -> dict[str, Any] | None:
        """`storageId`, `sha256` in base64, `size` in bytes and `contentType` of a file, or None."""
        return self.metadata(storage_id)

    def name(self, storage_id: str) -> str | None:
        """Of the file among all; None if there is none."""
        found = self._find(storage_id)
        return None if found is None else str(found["name"])

    def url(self, storage_id: str) -> str | None:
        """As `get_url`, without awaiting."""
        found = self._find(storage_id)
        return None if found is None else self._files.url(found["name"])

    def metadata(self, storage_id: str) -> dict[str, Any] | None:
        """As `get_metadata`, without awaiting."""
        found = self._find(storage_id)
        if found is None:
            return None
        return {
            "storageId": storage_id,
            "sha256": found["sha256"],
            "size": found["size"],
            "contentType": found["contentType"],
        }

    def _find(self, storage_id: str) -> dict[str, Any] | None:
        if not self._transaction.store.is_id(storage_id, STORAGE):
            raise FunctionProblem(
                f'Invalid storage ID: "{storage_id}". Storage ID should be an Id of `_storage`.'
            )
        return self._transaction.get(storage_id)


class StorageWriter(StorageReader):
    """`ctx.storage` of a mutation."""

    async def generate_upload_url(self) -> str:
        """A URL to which one file can be posted, for an hour."""
        return self._files.make_upload_url()

    async def delete(self, storage_id: str) -> None:
        """Remove a file."""
        self.remove(storage_id)

    def remove(self, storage_id: str) -> None:
        """As `delete`, without awaiting."""
        if self._find(storage_id) is None:
            raise FunctionProblem(f"storage id {storage_id} not found")
        self._transaction.delete_system(storage_id)
