"""The calls of functions to the deployment, by Convex's names for them.

Source: convex-backend crates/isolate/src/environment/{udf,action}/async_syscall.rs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from convex_async.codec.values import decode, encode
from convex_async.function_path import canonical_path
from convex_async.local.context.context import identity_of
from convex_async.local.context.runs import Invocation
from convex_async.local.context.scheduler import Scheduler
from convex_async.local.context.storage import ActionStorage, StorageReader, StorageWriter
from convex_async.local.problems import DeploymentProblem, FunctionProblem
from convex_async.local.store.documents import STORAGE
from convex_async.local.store.index_key import UNDEFINED
from convex_async.local.transactions.transaction import Transaction, check_access
from convex_async.local.typescript.declared import full_path
from convex_async.local.typescript.ids import (
    check_name,
    check_table,
    table_of,
)
from convex_async.local.typescript.running import Running
from convex_async.local.typescript.streams import Plan, Stream

Answer: TypeAlias = "bytes | Awaitable[bytes]"
Handler: TypeAlias = Callable[[Running, bytes], Answer]

HANDLE = "function://;"
_UNDEFINED = Raw(b'{"$undefined":null}')
_NULL = b"null"


def perform(running: Running, op: str, payload: bytes) -> Answer:
    """The answer of a call, or what will give it.

    Raises:
        FunctionProblem: there is no such call, or it may not be made.
    """
    in_transaction = running.is_transaction
    handler = (_TRANSACTION if in_transaction else _ACTION).get(op)
    if handler is None:
        raise FunctionProblem(f"Unknown async operation {op}")
    return handler(running, payload)


class Syscalls:
    """The calls, as a worker is given them."""

    def perform(self, running: Running, op: str, payload: bytes) -> Answer:
        """The answer of a call, or what will give it."""
        return perform(running, op, payload)


def _json(payload: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(payload)
    return found


def _raw(payload: bytes) -> dict[str, Raw]:
    return msgspec.json.decode(payload, type=dict[str, Raw])


def _dump(value: object) -> bytes:
    return msgspec.json.encode(value)


def _transaction(running: Running) -> Transaction:
    transaction = running.invocation.transaction
    assert transaction is not None
    return transaction


# Documents


class _Get(msgspec.Struct, rename="camel"):
    id: str
    is_system: bool = False
    table: str | None = None


def _get(running: Running, payload: bytes) -> bytes:
    args = msgspec.json.decode(payload, type=_Get)
    transaction = _transaction(running)
    method = "db.system.get" if args.is_system else "db.get"
    table = table_of(transaction, args.id, method, running.place.prefix)
    if table is None:
        return _NULL
    check_access(table, is_system=args.is_system)
    check_table(table, args.table, method)
    document = transaction.find(args.id)
    return _NULL if document is None else document.public_wire


def _stream_next(running: Running, payload: bytes) -> bytes:
    stream = running.stream(int(payload))
    if stream is None:
        raise FunctionProblem("in-progress query not found")
    return stream.next_batch()


async def _page(running: Running, payload: bytes) -> bytes:
    args = _json(payload)
    invocation = running.invocation
    if running.place.component:
        raise FunctionProblem(
            "paginate() is only supported in the app. Learn more at "
            "https://docs.convex.dev/components/authoring#pagination"
        )
    plan = Plan.of(args["query"], _transaction(running))
    opts = {
        "numItems": float(args["pageSize"]),
        "cursor": args["cursor"],
        "endCursor": args["endCursor"],
        "maximumRowsRead": args.get("maximumRowsRead"),
        "maximumBytesRead": args.get("maximumBytesRead"),
    }
    return encode(await plan.page(_transaction(running), invocation.pages).paginate(opts))


def _count(running: Running, payload: bytes) -> bytes:
    table = _json(payload)["table"]
    query = {"source": {"type": "FullTableScan", "tableName": table}, "operators": []}
    stream = Stream(_transaction(running), _dump(query), running.place.prefix)
    count = 0
    while not (batch := stream.next_batch()).endswith(b"\n") and batch:
        count += batch.count(b"\n") + 1
    stream.close()
    return str(count + batch.count(b"\n")).encode()


def _insert(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    fields = decode(bytes(args["value"]), root="value")
    table: str = msgspec.json.decode(args["table"])
    check_access(table, is_system=False)
    check_name(table)
    transaction = _transaction(running)
    return _dump({"_id": transaction.insert_system(running.place.prefix + table, fields)})


def _patch(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    changes = msgspec.json.decode(args["value"], type=dict[str, Raw])
    _transaction(running).patch(
        _id(running, args, "patch"),
        {
            name: UNDEFINED if value == _UNDEFINED else decode(bytes(value))
            for name, value in changes.items()
        },
    )
    return _NULL


def _replace(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    fields = decode(bytes(args["value"]), root="value")
    _transaction(running).replace(_id(running, args, "replace"), fields)
    return _NULL


def _remove(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    _transaction(running).delete(_id(running, args, "delete"))
    return _NULL


def _id(running: Running, args: Mapping[str, Raw], method: str) -> str:
    document_id: str = msgspec.json.decode(args["id"])
    table = msgspec.json.decode(args["table"]) if "table" in args else None
    found = table_of(_transaction(running), document_id, f"db.{method}", running.place.prefix)
    if found is None:
        raise FunctionProblem(
            f"Invalid argument `id` for `db.{method}`: Unable to find table of ID {document_id}"
        )
    check_table(found, table, f"db.{method}")
    check_access(found, is_system=False)
    return document_id


# Other functions


def _path_of(running: Running, args: Mapping[str, Raw]) -> str:
    """The path of the function that a call names."""
    component = running.place.component
    if (handle := args.get("functionHandle")) is not None:
        text: str = msgspec.json.decode(handle)
        if not text.startswith(HANDLE):
            raise FunctionProblem(f"Invalid function handle: {text!r}")
        return canonical_path(text.removeprefix(HANDLE))
    if (name := args.get("name")) is not None:
        return full_path(component, msgspec.json.decode(name))
    reference: str = msgspec.json.decode(args["reference"])
    match reference.split("/"):
        case ["_reference", "childComponent", child, *modules, function] if modules:
            inner = f"{component}/{child}" if component else child
            if inner not in running.components:
                raise FunctionProblem(f"Couldn't find child component {child!r}")
            return full_path(inner, f"{'/'.join(modules)}:{function}")
        case ["_reference", "function", *modules, function] if modules:
            return full_path(component, f"{'/'.join(modules)}:{function}")
    raise FunctionProblem(f"{reference!r} is no function")


async def _run_udf(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    kind: str = msgspec.json.decode(args["udfType"])
    invocation = running.invocation
    if kind == "snapshotQuery":
        # It sees nothing that this transaction wrote, and this one does not depend on it.
        outside = replace(invocation, transaction=None)
        return await invocation.engine.call(
            "query", _path_of(running, args), bytes(args["args"]), outside
        )
    if kind == "mutation" and invocation.declaration.kind == "query":
        raise FunctionProblem("Cannot call a mutation function from a query function")
    return await invocation.engine.call(
        kind, _path_of(running, args), bytes(args["args"]), invocation
    )


def _call(kind: str) -> Handler:
    async def call(running: Running, payload: bytes) -> bytes:
        args = _raw(payload)
        invocation = running.invocation
        return await invocation.engine.call(
            kind, _path_of(running, args), bytes(args["args"]), invocation
        )

    return call


def _create_handle(running: Running, payload: bytes) -> bytes:
    return _dump(HANDLE + _path_of(running, _raw(payload)))


# Who calls, and what is known of the run


def _identity(running: Running, payload: bytes) -> bytes:
    return _dump(identity_of(running.invocation.run.identity))


def _function_metadata(running: Running, payload: bytes) -> bytes:
    return _dump({"name": running.place.path, "componentPath": running.place.component})


def _deployment_metadata(running: Running, payload: bytes) -> bytes:
    return _dump({"name": "local", "region": None, "class": "s16"})


def _request_metadata(running: Running, payload: bytes) -> bytes:
    if running.invocation.declaration.kind == "query":
        raise FunctionProblem("getRequestMetadata can't be used in queries")
    names = ("ip", "userAgent", "requestId", "scheduledFunctionId", "authToken")
    return _dump(dict.fromkeys(names))


def _metrics(running: Running, payload: bytes) -> bytes:
    transaction = _transaction(running)
    return _dump(
        {
            name: {"used": used, "remaining": limit - used}
            for name, (used, limit) in transaction.metrics.items()
        }
    )


def _audit_log(running: Running, payload: bytes) -> bytes:
    return _NULL


# Later


async def _schedule(running: Running, payload: bytes) -> bytes:
    args = _raw(payload)
    invocation = running.invocation
    scheduler = Scheduler(invocation)
    seconds: float = msgspec.json.decode(args["ts"])
    arguments = decode(bytes(args["args"]))
    return _dump(await scheduler.run_at(seconds, _path_of(running, args), arguments))


async def _cancel(running: Running, payload: bytes) -> bytes:
    invocation = running.invocation
    scheduler = Scheduler(invocation)
    await scheduler.cancel(_json(payload)["id"])
    return _NULL


# Files


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
    return _dump(await storage.generate_upload_url())


async def _file_url(running: Running, payload: bytes) -> bytes:
    return _dump(await _storage(running.invocation).get_url(_json(payload)["storageId"]))


async def _file_metadata(running: Running, payload: bytes) -> bytes:
    storage_id = _json(payload)["storageId"]
    found = await _storage(running.invocation).get_metadata(storage_id)
    if found is None:
        return _NULL
    # The deprecated call has it in hexadecimal; documents have it in base64.
    sha256 = base64.b64decode(found["sha256"]).hex()
    return encode({**found, "sha256": sha256, "contentType": found.get("contentType")})


async def _delete_file(running: Running, payload: bytes) -> bytes:
    storage = _storage(running.invocation)
    assert not isinstance(storage, StorageReader) or isinstance(storage, StorageWriter)
    await storage.delete(_json(payload)["storageId"])
    return _NULL


async def _store_blob(running: Running, payload: bytes) -> bytes:
    """`ctx.storage.store` of an action: JSON about the file, then its bytes."""
    head, _, data = payload.partition(b"\n")
    about = _json(head)
    return _dump(await _store(running.invocation, data, about["contentType"], about["sha256"]))


async def _store_text(running: Running, payload: bytes) -> bytes:
    """`ctx.storage.store` of a mutation."""
    args = _json(payload)
    data = base64.b64decode(args["blob"])
    storage_id = await _store(running.invocation, data, args.get("contentType"), args.get("sha256"))
    return _dump(storage_id)


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
    return _dump({"contentType": about.get("contentType")}) + b"\n" + data


async def _get_text(running: Running, payload: bytes) -> bytes:
    found = await _find_file(running, _json(payload)["storageId"])
    if found is None:
        return _NULL
    about, data = found
    blob = base64.b64encode(data).decode()
    return _dump({"blob": blob, "contentType": about.get("contentType")})


# System errors on demand, which no function can catch.


def _throw_occ(running: Running, payload: bytes) -> bytes:
    raise DeploymentProblem(
        "OCC",
        "OptimisticConcurrencyControlFailure",
        "Data read or written in this mutation changed while it was being run. "
        "Consider reducing the amount of data read by using indexed queries with selective index "
        "range expressions (https://docs.convex.dev/database/indexes/).",
    )


def _throw_overloaded(running: Running, payload: bytes) -> bytes:
    raise DeploymentProblem("Overloaded", "Busy", "I'm a bit busy.")


_COMMON: Mapping[str, Handler] = {
    "1.0/getUserIdentity": _identity,
    "1.0/createFunctionHandle": _create_handle,
    "1.0/getFunctionMetadata": _function_metadata,
    "1.0/getDeploymentMetadata": _deployment_metadata,
    "1.0/getRequestMetadata": _request_metadata,
    "1.0/storageGetUrl": _file_url,
    "1.0/storageGetMetadata": _file_metadata,
    "1.0/storageDelete": _delete_file,
    "1.0/storageGenerateUploadUrl": _upload_url,
}
_TRANSACTION: Mapping[str, Handler] = {
    **_COMMON,
    "1.0/get": _get,
    "1.0/queryStreamNext": _stream_next,
    "1.0/queryPage": _page,
    "1.0/count": _count,
    "1.0/insert": _insert,
    "1.0/shallowMerge": _patch,
    "1.0/replace": _replace,
    "1.0/remove": _remove,
    "1.0/runUdf": _run_udf,
    "1.0/schedule": _schedule,
    "1.0/cancel_job": _cancel,
    "1.0/storageStore": _store_text,
    "1.0/storageGet": _get_text,
    "1.0/getTransactionMetrics": _metrics,
    "1.0/auditLog": _audit_log,
    "throwOcc": _throw_occ,
    "throwOverloaded": _throw_overloaded,
}
_ACTION: Mapping[str, Handler] = {
    **_COMMON,
    "1.0/actions/query": _call("query"),
    "1.0/actions/mutation": _call("mutation"),
    "1.0/actions/action": _call("action"),
    "1.0/actions/schedule": _schedule,
    "1.0/actions/cancel_job": _cancel,
    "host/storeBlob": _store_blob,
    "host/getBlob": _get_blob,
}
