"""What a function read, and who has to hear when that changes."""

from __future__ import annotations

from dataclasses import dataclass

from convex_async.local.definitions.schema import BY_ID
from convex_async.local.store.documents import Commit, IndexName
from convex_async.local.store.index_key import successor
from convex_async.local.store.limits import check_ranges

# The system table that is written when functions are swapped: every run has read it, so that live
# queries run again with the new code, and a mutation that began with the old one does too.
MODULES = "_modules"


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

    @property
    def is_empty(self) -> bool:
        """Whether no key is in it."""
        return self.high is not None and self.high <= self.low


class OpenRange:
    """A range of an index of which more and more is read; made by `ReadSet.begin`."""

    def __init__(self, read_set: ReadSet, name: IndexName) -> None:
        self._read_set = read_set
        self._ranges = read_set.ranges.setdefault(name, [])
        self._place = -1

    def reach(self, low: bytes, high: bytes | None) -> None:
        """Note that this was read, which holds all that was noted before."""
        if self._place < 0:
            self._place = len(self._ranges)
            self._ranges.append(KeyRange(low, high))
            self._read_set._count()
        else:
            self._ranges[self._place] = KeyRange(low, high)


class ReadSet:
    """Index ranges that a transaction read; a lone document is a range of `by_id`.

    Noting one raises `FunctionProblem` when there are too many.

    Attributes:
        count: how many ranges there are, of all indexes.
    """

    def __init__(self) -> None:
        self.count: int = 0
        self.ranges: dict[IndexName, list[KeyRange]] = {}

    def add(self, table: str, index: str, low: bytes, high: bytes | None) -> None:
        """Note that the range was read."""
        ranges = self.ranges.setdefault((table, index), [])
        read = KeyRange(low, high)
        if read not in ranges[-1:]:
            ranges.append(read)
            self._count()

    def _count(self) -> None:
        self.count += 1
        check_ranges(self.count)

    def begin(self, table: str, index: str) -> OpenRange:
        """A range that grows while it is read; nothing is noted before it reaches something."""
        return OpenRange(self, (table, index))

    def add_modules(self) -> None:
        """Note that the functions' own code was read, which no limit counts."""
        self.ranges[MODULES, BY_ID] = [KeyRange(b"", None)]

    def overlaps(self, commit: Commit) -> bool:
        """Whether the commit wrote a document that was read, or would have been."""
        return self.overlap(commit) is not None

    def overlap(self, commit: Commit) -> tuple[IndexName, KeyRange] | None:
        """The first range in which the commit wrote a document that was read, or None."""
        for name, ranges in self.ranges.items():
            keys = commit.keys.get(name)
            for read in ranges if keys else ():
                if any(key in read for key in keys or ()):
                    return name, read
        return None
