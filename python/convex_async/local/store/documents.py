"""Documents and the writes that change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from convex_async.codec.values import decode, encode
from convex_async.local.definitions.schema import Schema
from convex_async.local.store.index_key import UNDEFINED, index_key
from convex_async.local.store.limits import size_of

STORAGE = "_storage"

IndexName: TypeAlias = tuple[str, str]
"""Table and index."""


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document.

    Attributes:
        wire: the document as wire bytes, of which every reader decodes its own objects.
        fields: the same, decoded, for index keys; never handed out.
        size: its Convex size, in bytes.
    """

    table: str
    document_id: str
    wire: bytes
    fields: dict[str, Any]
    size: int

    @classmethod
    def of(cls, table: str, document_id: str, wire: bytes) -> Document:
        """The document that the wire bytes are.

        Raises:
            FunctionProblem: an array or an object in it has too many parts.
        """
        return cls(table, document_id, wire, decode(wire), size_of(wire))

    @property
    def public_wire(self) -> bytes:
        """The document as functions see it: without what a system's document has for itself.

        Source: convex-backend crates/model/src/file_storage/virtual_table.rs.
        """
        if self.table != STORAGE:
            return self.wire
        fields = dict(self.fields)
        del fields["name"]
        if fields["contentType"] is None:
            del fields["contentType"]
        return encode(fields)

    def key(self, field_paths: tuple[str, ...]) -> bytes:
        """The key in an index over these fields; creation time and id make it unique."""
        values = [_field(self.fields, path) for path in field_paths]
        if field_paths[-1:] != ("_id",):
            if field_paths[-1:] != ("_creationTime",):
                values.append(self.fields["_creationTime"])
            values.append(self.document_id)
        return index_key(values)


def _field(fields: Any, path: str) -> Any:
    for name in path.split("."):
        fields = fields.get(name, UNDEFINED) if isinstance(fields, dict) else UNDEFINED
    return fields


@dataclass(frozen=True, slots=True)
class Write:
    """One document before and after a commit; None where there is none."""

    before: Document | None
    after: Document | None


@dataclass(frozen=True, slots=True)
class Commit:
    """What a transaction wrote.

    Attributes:
        ts: ns since the epoch, larger than that of every commit before.
        keys: by index, those that it took away, brought, or changed the document of.
    """

    ts: int
    writes: list[Write]
    keys: dict[IndexName, set[bytes]]

    @classmethod
    def of(cls, ts: int, writes: list[Write], schema: Schema) -> Commit:
        """The commit of these writes."""
        keys: dict[IndexName, set[bytes]] = {}
        for document in (d for write in writes for d in (write.before, write.after) if d):
            for name, fields in schema.indexes(document.table).items():
                keys.setdefault((document.table, name), set()).add(document.key(fields))
        return cls(ts, writes, keys)
