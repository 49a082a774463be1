"""The calls that read and write files.

Source: convex-backend crates/isolate/src/environment/{udf,action}/async_syscall.rs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from convex_async.codec.values import encode
from convex_async.local.context.runs import Invocation
from convex_async.local.context.storage import ActionStorage, StorageReader, StorageWriter
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import STORAGE
from convex_async.local.transactions.transaction import Transaction
from convex_async.local.typescript.payloads import NULL, Handler, as_json, dump
from convex_async.local.typescript.running import Running


def _storage(invocation: Invocation) -> StorageReader | ActionStorage:
    files, transaction = invocation.engine.files, invocation.transaction
    if transaction is None:
        return ActionStorage(invocation.engine)
    kind = StorageWriter if invocation.declaration.kind == "mutation" else StorageReader
    return kind(files, transaction)


async def _upload_url(running: Running, payload: bytes) -> bytes:
    storage = _storage(running.invocation)
    if isinstance(storage, StorageReader) and not isinstance(storage, StorageWriter):
        raise FunctionProblem("Unknown async operation 1.0/storageGenerateUploadUrl")
    return dump(await storage.generate_upload_url())


async def _file_url(running: Running, payload: bytes) -> bytes:
    return dump(await _storage(running.invocation).get_url(as_json(payload)["storageId"]))


async def _file_metadata(running: Running, payload: bytes) -> bytes:
    storage_id = as_json(payload)["storageId"]
    found = await _storage(running.invocation).get_metadata(storage_id)
    if found is None:
        return NULL
    # The deprecated call has it in hexadecimal; documents have it in base64.
    sha256 = base64.b64decode(found["sha256"]).hex()
    return encode({**found, "sha256": sha256, "contentType": found.get("contentType")})


async def _delete_file(running: Running, payload: bytes) -> bytes:
    storage = _storage(running.invocation)
    assert not isinstance(storage, StorageReader) or isinstance(storage, StorageWriter)
    await storage.delete(as_json(payload)["storageId"])
    return NULL


async def _store_blob(running: Running, payload: bytes) -> bytes:
    """`ctx.storage.store` of an action: JSON about the file, then its bytes."""
    head, _, data = payload.partition(b"\n")
    about = as_json(head)
    return dump(await _store(running.invocation, data, about["contentType"], about["sha256"]))


async def _store_text(running: Running, payload: bytes) -> bytes:
    """`ctx.storage.store` of a mutation."""
    args = as_json(payload)
    data = base64.b64decode(args["blob"])
    storage_id = await _store(running.invocation, data, args.get("contentType"), args.get("sha256"))
    return dump(storage_id)


async def _store(
    invocation: Invocation, data: bytes, content_type: str | None, sha256: str | None
) -> str:
    if sha256 is not None:
        actual = hashlib.sha256(data).digest()
        if sha256 not in (actual.hex(), base64.b64encode(actual).decode()):
            raise FunctionProblem("The file is not what its sha256 says")

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    about = await invocation.engine.files.write(chunks(), None)
    about["contentType"] = content_type or None
    if invocation.transaction is not None:
        return invocation.transaction.insert_system(STORAGE, about)
    return await invocation.engine.transact(lambda t: t.insert_system(STORAGE, about))


async def _find_file(running: Running, storage_id: str) -> tuple[dict[str, Any], bytes] | None:
    invocation = running.invocation

    def find(transaction: Transaction) -> dict[str, Any] | None:
        if not transaction.store.is_id(storage_id, STORAGE):
            raise FunctionProblem(
                f'Invalid storage ID: "{storage_id}". Storage ID should be an Id of `_storage`.'
            )
        return transaction.get(storage_id)

    if invocation.transaction is not None:
        found = find(invocation.transaction)
    else:
        found = await invocation.engine.transact(find)
    if found is None:
        return None
    return found, invocation.engine.files.path(found["name"]).read_bytes()


async def _get_blob(running: Running, payload: bytes) -> bytes:
    """`ctx.storage.get` of an action: JSON about the file, then its bytes."""
    found = await _find_file(running, msgspec.json.decode(payload))
    if found is None:
        return b"null\n"
    about, data = found
    return dump({"contentType": about.get("contentType")}) + b"\n" + data


async def _get_text(running: Running, payload: bytes) -> bytes:
    found = await _find_file(running, as_json(payload)["storageId"])
    if found is None:
        return NULL
    about, data = found
    blob = base64.b64encode(data).decode()
    return dump({"blob": blob, "contentType": about.get("contentType")})


CALLS: Mapping[str, Handler] = {
    "1.0/storageGetUrl": _file_url,
    "1.0/storageGetMetadata": _file_metadata,
    "1.0/storageDelete": _delete_file,
    "1.0/storageGenerateUploadUrl": _upload_url,
}
"""Of functions of any kind."""
IN_TRANSACTIONS: Mapping[str, Handler] = {
    "1.0/storageStore": _store_text,
    "1.0/storageGet": _get_text,
}
IN_ACTIONS: Mapping[str, Handler] = {
    "host/storeBlob": _store_blob,
    "host/getBlob": _get_blob,
}
