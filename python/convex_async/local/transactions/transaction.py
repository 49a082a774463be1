"""One snapshot, what was read of it, and what is to be written on top."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from heapq import merge
from itertools import chain
from typing import Any

from convex_async.codec.values import decode, encode
from convex_async.local import texts
from convex_async.local.definitions.schema import BY_ID, check_table_name, is_system_table
from convex_async.local.definitions.validators import ValidationError
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import Commit, Document, Write
from convex_async.local.store.ids import decode_id, make_id
from convex_async.local.store.index_key import UNDEFINED, index_key, successor
from convex_async.local.store.limits import MAX_DOCUMENT_NESTING, Usage, check_document
from convex_async.local.store.store import Store
from convex_async.local.transactions.readset import ReadSet
from convex_async.local.transactions.turns import Contested

# What functions call to have it done.
_METHODS = {"Update": "db.patch", "Replace": "db.replace", "Delete": "db.delete"}


class Conflict(Exception):
    """Another transaction committed what this one had read, or is to have its turn before it.

    Attributes:
        contested: the range of an index, and its index, about which they are at odds; None if the
            run has to begin anew for another reason.
        is_real: whether this one's reads were wrong; else it only gave way.
    """

    def __init__(self, contested: Contested | None = None, *, is_real: bool = True) -> None:
        super().__init__()
        self.contested = contested
        self.is_real = is_real


def check_access(table: str, *, is_system: bool) -> None:
    """Raise `FunctionProblem` unless a table is of the kind that is meant.

    Source: convex-backend crates/isolate/src/environment/udf/async_syscall.rs, system_table_guard.
    """
    if is_system and not is_system_table(table):
        raise FunctionProblem(texts.USER_ONLY)
    if not is_system and is_system_table(table):
        raise FunctionProblem(texts.SYSTEM_ONLY)


class Transaction:
    """Reads one snapshot and buffers writes; a function run has one.

    Args:
        now: when the run began, ms since the epoch; its clock stands still.
        writable: whether it is a mutation.
        rng: makes ids.
        seed: of the function's random numbers; None for others at each run.
        at: the timestamp of an open snapshot to read; None for the latest.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: float,
        writable: bool,
        rng: random.Random,
        seed: bytes | None = None,
        at: int | None = None,
    ) -> None:
        self.read_set: ReadSet = ReadSet()
        self.ts: int = store.open_snapshot(at)
        self.now = now
        self._store = store
        self._writable = writable
        self._rng = rng
        self._seed = seed
        self._written: dict[str, Write] = {}
        self.usage: Usage = Usage()
        self._creation_time = now
        self._is_open = True

    def close(self) -> None:
        """Let go of the snapshot. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._store.close_snapshot(self.ts)

    @property
    def store(self) -> Store:
        return self._store

    @cached_property
    def random(self) -> random.Random:
        """The random numbers of the function, and of those that it calls in this transaction."""
        return random.Random(self._seed)

    # Reading

    def get(self, document_id: object) -> dict[str, Any] | None:
        """The document, freshly decoded, or None."""
        document = self.find(document_id)
        return None if document is None else decode(document.wire)

    def find(self, document_id: object, method: str = "db.get") -> Document | None:
        """The document; None also of a table that there is not.

        Args:
            method: such as `db.get`, for the text of what is wrong.

        Raises:
            FunctionProblem: it is no id.
        """
        self._check_open()
        try:
            number, _ = decode_id(document_id)
        except ValueError as error:
            raise FunctionProblem(f"Invalid argument `id` for `{method}`: {error}") from None
        assert isinstance(document_id, str)
        if document_id in self._written:
            return self._written[document_id].after
        table = self._store.table_of(number)
        if table is None:
            return None
        low = index_key([document_id])
        self.read_set.add(table, BY_ID, low, successor(low))
        document = self._store.get(document_id, self.ts)
        self._count_read(document)
        return document

    def scan(
        self, table: str, index: str, low: bytes, high: bytes | None, *, descending: bool
    ) -> Iterator[tuple[bytes, Document]]:
        """The documents of a range of an index, own writes included.

        The caller notes in `read_set` how far it went.
        """
        self._check_open()
        fields = self._store.schema.indexes(table)[index]
        stored = (
            (key, document)
            for key, document in self._store.scan(
                table, index, low, high, self.ts, descending=descending
            )
            if document.document_id not in self._written
        )
        own = sorted(
            (
                (document.key(fields), document)
                for document in (write.after for write in self._written.values())
                if document is not None and document.table == table
            ),
            key=lambda entry: entry[0],
            reverse=descending,
        )
        own = [e for e in own if low <= e[0] and (high is None or e[0] < high)]
        for entry in merge(stored, own, key=lambda e: e[0], reverse=descending) if own else stored:
            self._count_read(entry[1])
            yield entry

    def _count_read(self, document: Document | None) -> None:
        self.usage.read(0 if document is None else document.size)

    # Writing

    def insert(self, table: str, fields: Mapping[str, Any]) -> str:
        """Add a document and return its id."""
        try:
            if isinstance(table, str):
                check_access(table, is_system=False)
            check_table_name(table)
        except ValueError as error:
            raise FunctionProblem(str(error)) from None
        return self.insert_system(table, fields)

    def insert_system(self, table: str, fields: Mapping[str, Any]) -> str:
        """The same, for a table that may be the system's own."""
        self._check_writable()
        document_id = make_id(self._store.number_of(table), self._rng)
        self._put(table, document_id, None, fields, self._creation_time)
        # Documents of one transaction keep the order of their insertion.
        self._creation_time += 2**-10
        return document_id

    def patch(self, document_id: object, changes: Mapping[str, Any]) -> None:
        """Change some fields; one whose value is `UNDEFINED` is taken away."""
        self._patch(self._existing(document_id, "Update"), changes)

    def patch_system(self, document_id: str, changes: Mapping[str, Any]) -> None:
        """The same, for a document of the system's own."""
        self._patch(self._existing(document_id, "Update", is_system=True), changes)

    def _patch(self, before: Document, changes: Mapping[str, Any]) -> None:
        fields = {name: value for name, value in before.fields.items() if name[:1] != "_"}
        fields.update(self._user_fields(changes, before))
        kept = {name: value for name, value in fields.items() if value is not UNDEFINED}
        self._put(before.table, before.document_id, before, kept, before.fields["_creationTime"])

    def replace(self, document_id: object, fields: Mapping[str, Any]) -> None:
        """Put other fields in place of all."""
        before = self._existing(document_id, "Replace")
        new = self._user_fields(fields, before)
        self._put(before.table, before.document_id, before, new, before.fields["_creationTime"])

    def delete(self, document_id: object) -> None:
        """Remove the document."""
        before = self._existing(document_id, "Delete")
        self._write(before.document_id, before, None)

    def delete_system(self, document_id: str) -> None:
        """The same, for a document of the system's own."""
        before = self._existing(document_id, "Delete", is_system=True)
        self._write(before.document_id, before, None)

    def _existing(self, document_id: object, verb: str, *, is_system: bool = False) -> Document:
        self._check_writable()
        before = self.find(document_id, _METHODS[verb])
        if before is None:
            raise FunctionProblem(texts.NONEXISTENT.format(verb=verb, id=document_id))
        if not is_system:
            check_access(before.table, is_system=False)
        return before

    @staticmethod
    def _user_fields(fields: Mapping[str, Any], before: Document) -> dict[str, Any]:
        """The fields without the system's, which may be given as they are."""
        for name in ("_id", "_creationTime"):
            if name in fields and fields[name] != before.fields[name]:
                raise FunctionProblem(f"The system field {name} of a document can't be changed")
        return {n: value for n, value in fields.items() if n not in ("_id", "_creationTime")}

    def _put(
        self,
        table: str,
        document_id: str,
        before: Document | None,
        fields: Mapping[str, Any],
        creation_time: float,
    ) -> None:
        for name in fields:
            if isinstance(name, str) and name.startswith("_"):
                raise FunctionProblem(
                    f"Field {name!r} starts with '_', which is the system's alone"
                )
        wire = encode(
            {**fields, "_id": document_id, "_creationTime": creation_time},
            root=table,
            max_depth=MAX_DOCUMENT_NESTING,
        )
        document = Document.of(table, document_id, wire)
        check_document(document.size)
        try:
            self._store.schema.check(table, document.fields, self._store.table_of_id)
        except ValidationError as error:
            raise FunctionProblem(texts.DOCUMENT_REFUSED.format(table=table, error=error)) from None
        self._write(document_id, before, document)

    def _write(self, document_id: str, before: Document | None, after: Document | None) -> None:
        first = self._written.get(document_id)
        if first is not None:
            before = first.before
        self._written[document_id] = Write(before, after)
        self.usage.written(len(self._written), 0 if after is None else after.size)

    # Ending

    def rollback_to(self, savepoint: dict[str, Write]) -> None:
        """Undo the writes since `savepoint`."""
        self._written = savepoint

    @property
    def metrics(self) -> dict[str, tuple[int, int]]:
        """What it used of each limit, and the limit."""
        return self.usage.metrics(len(self._written), self.read_set.count)

    def savepoint(self) -> dict[str, Write]:
        """The writes so far."""
        return dict(self._written)

    def validated(self, ts: int, unapplied: Sequence[Commit] = ()) -> Commit:
        """The writes as a commit at `ts`, once nothing committed meanwhile is in their way.

        Args:
            unapplied: commits that will be applied before this one.

        Raises:
            Conflict: a commit since the snapshot touches what was read.
        """
        self._check_open()
        for commit in chain(unapplied, self._store.commits_since(self.ts)):
            if (contested := self.read_set.overlap(commit)) is not None:
                raise Conflict(contested)
        writes = [
            write
            for write in self._written.values()
            if write.before is not None or write.after is not None
        ]
        return Commit.of(ts, writes, self._store.schema)

    def _check_open(self) -> None:
        if not self._is_open:
            raise FunctionProblem("The function has ended: ctx.db can't be used any more")

    def _check_writable(self) -> None:
        self._check_open()
        if not self._writable:
            raise FunctionProblem("A query can't write: use a mutation")
