"""What a function read, and who has to hear when that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from convex_async.local.index_key import successor
from convex_async.local.schema import Schema
from convex_async.local.store import Commit, IndexName, Write


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys of an index from `low` to before `high`; None is no bound."""

    low: bytes
    high: bytes | None

    def __contains__(self, key: bytes) -> bool:
        return self.low <= key and (self.high is None or key < self.high)

    @property
    def is_prefix(self) -> bool:
        """Whether it holds exactly the keys that begin with `low`."""
        return self.high == successor(self.low)


class ReadSet:
    """Index ranges that a transaction read; a lone document is a range of `by_id`."""

    def __init__(self) -> None:
        self.ranges: dict[IndexName, list[KeyRange]] = {}

    def add(self, table: str, index: str, low: bytes, high: bytes | None) -> None:
        """Note that the range was read."""
        ranges = self.ranges.setdefault((table, index), [])
        read = KeyRange(low, high)
        if read not in ranges[-1:]:
            ranges.append(read)

    def overlaps(self, commit: Commit, schema: Schema) -> bool:
        """Whether the commit wrote a document that was read, or would have been."""
        return any(
            key in read
            for name, key in touched(commit, schema)
            for read in self.ranges.get(name, ())
        )


def touched(commit: Commit, schema: Schema) -> Iterator[tuple[IndexName, bytes]]:
    """Each index key that a commit took away, brought, or changed the document of."""
    for write in commit.writes:
        table = _table(write)
        for name, fields in schema.indexes(table).items():
            keys = {d.key(fields) for d in (write.before, write.after) if d is not None}
            for key in keys:
                yield (table, name), key


def _table(write: Write) -> str:
    document = write.after or write.before
    assert document is not None
    return document.table


class Watch:
    """A read set whose first change is told."""

    __slots__ = ("_forget", "on_invalid", "read_set")

    def __init__(
        self,
        read_set: ReadSet,
        on_invalid: Callable[[int], None],
        forget: Callable[[Watch], None],
    ) -> None:
        self.read_set = read_set
        self.on_invalid = on_invalid
        self._forget = forget

    def cancel(self) -> None:
        """Stop watching. Idempotent."""
        self._forget(self)


class Watches:
    """Finds the read sets that a commit touches, at a cost that the others do not add to.

    A range that equality bounds is the keys of one prefix, found by one look-up for each length
    of prefix in use. Other ranges are tried one by one.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._prefixes: dict[IndexName, dict[int, dict[bytes, set[Watch]]]] = {}
        self._ranges: dict[IndexName, dict[KeyRange, set[Watch]]] = {}

    def add(self, read_set: ReadSet, on_invalid: Callable[[int], None]) -> Watch:
        """Watch a read set from the next commit on."""
        watch = Watch(read_set, on_invalid, self._remove)
        for name, ranges in read_set.ranges.items():
            for read in ranges:
                self._watchers(name, read).add(watch)
        return watch

    def notify(self, commit: Commit) -> None:
        """Tell, and forget, the watches that the commit touches."""
        found: dict[Watch, None] = {}
        for name, key in touched(commit, self._schema):
            for length, by_prefix in self._prefixes.get(name, {}).items():
                found.update(dict.fromkeys(by_prefix.get(key[:length], ())))
            for read, watches in self._ranges.get(name, {}).items():
                if key in read:
                    found.update(dict.fromkeys(watches))
        for watch in found:
            self._remove(watch)
            watch.on_invalid(commit.ts)

    def _watchers(self, name: IndexName, read: KeyRange) -> set[Watch]:
        if read.is_prefix:
            by_length = self._prefixes.setdefault(name, {})
            return by_length.setdefault(len(read.low), {}).setdefault(read.low, set())
        return self._ranges.setdefault(name, {}).setdefault(read, set())

    def _remove(self, watch: Watch) -> None:
        for name, ranges in watch.read_set.ranges.items():
            for read in ranges:
                watchers = self._watchers(name, read)
                watchers.discard(watch)
                if watchers:
                    continue
                if not read.is_prefix:
                    del self._ranges[name][read]
                    continue
                by_length = self._prefixes[name]
                del by_length[len(read.low)][read.low]
                if not by_length[len(read.low)]:
                    del by_length[len(read.low)]
