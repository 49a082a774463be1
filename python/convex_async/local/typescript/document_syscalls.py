"""The calls that read and write documents.

Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from convex_async.codec.values import decode, encode
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import UNDEFINED
from convex_async.local.transactions.transaction import check_access
from convex_async.local.typescript.ids import check_name, check_table, table_of
from convex_async.local.typescript.payloads import (
    NULL,
    Handler,
    as_json,
    dump,
    fields_of,
    transaction_of,
)
from convex_async.local.typescript.running import Running
from convex_async.local.typescript.streams import Plan, Stream

_UNDEFINED = Raw(b'{"$undefined":null}')


class _Get(msgspec.Struct, rename="camel"):
    id: str
    is_system: bool = False
    table: str | None = None


def _get(running: Running, payload: bytes) -> bytes:
    args = msgspec.json.decode(payload, type=_Get)
    transaction = transaction_of(running)
    method = "db.system.get" if args.is_system else "db.get"
    table = table_of(transaction, args.id, method, running.place.prefix)
    if table is None:
        return NULL
    check_access(table, is_system=args.is_system)
    check_table(table, args.table, method)
    document = transaction.find(args.id)
    return NULL if document is None else document.public_wire


def _stream_next(running: Running, payload: bytes) -> bytes:
    stream = running.stream(int(payload))
    if stream is None:
        raise FunctionProblem("in-progress query not found")
    return stream.next_batch()


async def _page(running: Running, payload: bytes) -> bytes:
    args = as_json(payload)
    invocation = running.invocation
    if running.place.component:
        raise FunctionProblem(
            "paginate() is only supported in the app. Learn more at "
            "https://docs.convex.dev/components/authoring#pagination"
        )
    plan = Plan.of(args["query"], transaction_of(running))
    opts = {
        "numItems": float(args["pageSize"]),
        "cursor": args["cursor"],
        "endCursor": args["endCursor"],
        "maximumRowsRead": args.get("maximumRowsRead"),
        "maximumBytesRead": args.get("maximumBytesRead"),
    }
    return encode(await plan.page(transaction_of(running), invocation.pages).paginate(opts))


def _count(running: Running, payload: bytes) -> bytes:
    table = as_json(payload)["table"]
    query = {"source": {"type": "FullTableScan", "tableName": table}, "operators": []}
    stream = Stream(transaction_of(running), dump(query), running.place.prefix)
    count = 0
    while not (batch := stream.next_batch()).endswith(b"\n") and batch:
        count += batch.count(b"\n") + 1
    stream.close()
    return str(count + batch.count(b"\n")).encode()


def _insert(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    fields = decode(bytes(args["value"]), root="value")
    table: str = msgspec.json.decode(args["table"])
    check_access(table, is_system=False)
    check_name(table)
    transaction = transaction_of(running)
    return dump({"_id": transaction.insert_system(running.place.prefix + table, fields)})


def _patch(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    changes = msgspec.json.decode(args["value"], type=dict[str, Raw])
    transaction_of(running).patch(
        _id(running, args, "patch"),
        {
            name: UNDEFINED if value == _UNDEFINED else decode(bytes(value))
            for name, value in changes.items()
        },
    )
    return NULL


def _replace(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    fields = decode(bytes(args["value"]), root="value")
    transaction_of(running).replace(_id(running, args, "replace"), fields)
    return NULL


def _remove(running: Running, payload: bytes) -> bytes:
    args = fields_of(payload)
    transaction_of(running).delete(_id(running, args, "delete"))
    return NULL


def _id(running: Running, args: Mapping[str, Raw], method: str) -> str:
    document_id: str = msgspec.json.decode(args["id"])
    table = msgspec.json.decode(args["table"]) if "table" in args else None
    found = table_of(transaction_of(running), document_id, f"db.{method}", running.place.prefix)
    if found is None:
        raise FunctionProblem(
            f"Invalid argument `id` for `db.{method}`: Unable to find table of ID {document_id}"
        )
    check_table(found, table, f"db.{method}")
    check_access(found, is_system=False)
    return document_id


CALLS: Mapping[str, Handler] = {
    "1.0/get": _get,
    "1.0/queryStreamNext": _stream_next,
    "1.0/queryPage": _page,
    "1.0/count": _count,
    "1.0/insert": _insert,
    "1.0/shallowMerge": _patch,
    "1.0/replace": _replace,
    "1.0/remove": _remove,
}
"""Of queries and mutations."""
