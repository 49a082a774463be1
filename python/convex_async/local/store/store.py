"""Documents and their indexes, in every version that a running transaction may still read."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from convex_async.local import texts
from convex_async.local.definitions.schema import BY_CREATION_TIME, Schema, is_system_table
from convex_async.local.definitions.validators import ValidationError
from convex_async.local.store.documents import Commit, Document, IndexName
from convex_async.local.store.ids import table_number

FOREVER = 2**63 - 1
RESERVED_TABLE_NUMBERS = 10_000


class _Version:
    """A document from the commit that made it to the one that replaced it."""

    __slots__ = ("born", "died", "document")

    def __init__(self, document: Document, born: int) -> None:
        self.document = document
        self.born = born
        self.died = FOREVER

    def is_visible(self, ts: int) -> bool:
        return self.born <= ts < self.died


Entry: TypeAlias = tuple[bytes, int, _Version]


class Store:
    """All tables of a deployment.

    Attributes:
        latest_ts: of the last commit, ns since the epoch.
    """

    def __init__(self, schema: Schema, *, first_ts: int) -> None:
        self._schema = schema
        self.latest_ts: int = first_ts
        self._live: dict[str, _Version] = {}
        self._indexes: dict[IndexName, list[Entry]] = {}
        self._commits: deque[Commit] = deque()
        self._dead: deque[_Version] = deque()
        self._snapshots: dict[int, int] = {}
        self.table_numbers: dict[str, int] = {}

    @property
    def schema(self) -> Schema:
        return self._schema

    def use_schema(self, schema: Schema) -> None:
        """Take another schema from now on, whose documents and indexes are those of `schema`.

        Raises:
            ValueError: a document that is there is none that it allows.
        """
        for version in self._live.values():
            document = version.document
            try:
                schema.check(document.table, document.fields, self.table_of_id)
            except ValidationError as error:
                raise ValueError(
                    texts.DOCUMENT_IN_THE_WAY.format(
                        id=document.document_id, table=document.table, error=error
                    )
                ) from None
        self._schema = schema
        versions = [*self._dead, *self._live.values()]
        self._indexes = {}
        for version in versions:
            self._index_version(version)

    def number_of(self, table: str) -> int:
        """The number of a table in its ids, given at its first use.

        As in convex-backend crates/database/src/bootstrap_model/table.rs, the tables of users have
        numbers from 10,001 on.
        """
        number = self.table_numbers.get(table)
        if number is None:
            is_system = is_system_table(table)
            floor = 0 if is_system else RESERVED_TABLE_NUMBERS
            same = [n for t, n in self.table_numbers.items() if is_system_table(t) == is_system]
            number = self.table_numbers[table] = max(same, default=floor) + 1
        return number

    def table_of(self, number: int) -> str | None:
        """The table of a number, or None."""
        return next((table for table, n in self.table_numbers.items() if n == number), None)

    def table_of_id(self, text: str) -> str | None:
        """The table of an id; None of what is no id, or of no table that there is."""
        number = table_number(text)
        return None if number is None else self.table_of(number)

    def is_id(self, value: object, table: str) -> bool:
        """Whether a value is an id of the table, also of a document that is gone."""
        number = table_number(value)
        return number is not None and number == self.table_numbers.get(table)

    def open_snapshot(self, at: int | None = None) -> int:
        """A timestamp whose versions stay until `close_snapshot`: the latest, or one open now."""
        ts = self.latest_ts if at is None else at
        self._snapshots[ts] = self._snapshots.get(ts, 0) + 1
        return ts

    def close_snapshot(self, ts: int) -> None:
        """The reader at `ts` is done."""
        self._snapshots[ts] -= 1
        if not self._snapshots[ts]:
            del self._snapshots[ts]
        self._collect_garbage()

    def get(self, document_id: str, ts: int) -> Document | None:
        """The document as of `ts`."""
        version = self._live.get(document_id)
        if version is not None and version.born <= ts:
            return version.document
        for version in self._dead:
            if version.document.document_id == document_id and version.is_visible(ts):
                return version.document
        return None

    def scan(
        self, table: str, index: str, low: bytes, high: bytes | None, ts: int, *, descending: bool
    ) -> Iterator[tuple[bytes, Document]]:
        """The documents of an index as of `ts`, from key `low` to before `high`."""
        entries = self._index(table, index)
        start = bisect_left(entries, (low,))
        end = len(entries) if high is None else bisect_left(entries, (high,))
        places = range(end - 1, start - 1, -1) if descending else range(start, end)
        for place in places:
            key, _, version = entries[place]
            if version.is_visible(ts):
                yield key, version.document

    def commits_since(self, ts: int) -> Iterator[Commit]:
        """The commits after `ts`, the latest first; those that a snapshot needs are there."""
        for commit in reversed(self._commits):
            if commit.ts <= ts:
                return
            yield commit

    def apply(self, commit: Commit) -> None:
        """Make the commit the latest state."""
        for write in commit.writes:
            if write.before is not None:
                version = self._live.pop(write.before.document_id)
                version.died = commit.ts
                self._dead.append(version)
            if write.after is not None:
                self._insert(write.after, commit.ts)
        self.latest_ts = commit.ts
        self._commits.append(commit)
        self._collect_garbage()

    def load(self, document: Document, ts: int) -> None:
        """Take over a document that was written before this process."""
        self._insert(document, ts)

    def first(self, table: str, accepts: Callable[[dict[str, Any]], bool]) -> Document | None:
        """The first document of a table's latest state that is accepted, or None."""
        entries = self.scan(table, BY_CREATION_TIME, b"", None, self.latest_ts, descending=False)
        return next((document for _, document in entries if accepts(document.fields)), None)

    def documents(self) -> Iterator[Document]:
        """All documents of the latest state."""
        return (version.document for version in self._live.values())

    def _insert(self, document: Document, ts: int) -> None:
        version = _Version(document, ts)
        self._live[document.document_id] = version
        self._index_version(version)

    def _index_version(self, version: _Version) -> None:
        document = version.document
        for name, fields in self._schema.indexes(document.table).items():
            insort(self._index(document.table, name), (document.key(fields), version.born, version))

    def _index(self, table: str, index: str) -> list[Entry]:
        return self._indexes.setdefault((table, index), [])

    def _collect_garbage(self) -> None:
        """Forget versions and commits that no snapshot can see."""
        oldest = min(self._snapshots, default=self.latest_ts)
        while self._dead and self._dead[0].died <= oldest:
            version = self._dead.popleft()
            document = version.document
            for name, fields in self._schema.indexes(document.table).items():
                entries = self._index(document.table, name)
                del entries[bisect_left(entries, (document.key(fields), version.born))]
        while self._commits and self._commits[0].ts <= oldest:
            self._commits.popleft()
