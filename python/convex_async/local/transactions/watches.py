"""Who is told when what was read changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from convex_async.local.store.documents import Commit, IndexName
from convex_async.local.transactions.readset import KeyRange, ReadSet

_log = logging.getLogger("convex_async.local")


class Watch:
    """A read set whose first change is told."""

    __slots__ = ("_forget", "on_invalid", "read_set")

    def __init__(
        self,
        read_set: ReadSet,
        on_invalid: Callable[[int], None],
        forget: Callable[[Watch], None],
    ) -> None:
        self.read_set: ReadSet = read_set
        self.on_invalid = on_invalid
        self._forget = forget

    def cancel(self) -> None:
        """Stop watching. Idempotent."""
        self._forget(self)


# Above every key: each value in one begins with a tag below 0xff.
_ABOVE_ALL = b"\xff"


class Watches:
    """Finds the read sets that a commit touches, at a cost that the others do not add to.

    A range that equality bounds is the keys of one prefix, found by one look-up for each length
    of prefix in use. Other ranges are in an interval tree.
    """

    def __init__(self) -> None:
        self._prefixes: dict[IndexName, dict[int, dict[bytes, set[Watch]]]] = {}
        self._ranges: dict[IndexName, dict[tuple[bytes, bytes], set[Watch]]] = {}
        self._trees: dict[IndexName, Any] = {}
        self._new_tree = _interval_tree()

    def add(self, read_set: ReadSet, on_invalid: Callable[[int], None]) -> Watch:
        """Watch a read set from the next commit on."""
        watch = Watch(read_set, on_invalid, self._remove)
        for name, ranges in read_set.ranges.items():
            for read in ranges:
                if not read.is_empty:
                    self._watchers(name, read).add(watch)
        return watch

    def notify(self, commit: Commit) -> None:
        """Tell, and forget, the watches that the commit touches."""
        found: dict[Watch, None] = {}
        for name, key in ((name, key) for name, keys in commit.keys.items() for key in keys):
            for length, by_prefix in self._prefixes.get(name, {}).items():
                found.update(dict.fromkeys(by_prefix.get(key[:length], ())))
            if name in self._trees:
                for low, high, _ in self._trees[name].at(key):
                    found.update(dict.fromkeys(self._ranges[name][low, high]))
        for watch in found:
            self._remove(watch)
        for watch in found:
            try:
                watch.on_invalid(commit.ts)
            except Exception:
                _log.exception("a query that is watched was not told that it changed")

    def _watchers(self, name: IndexName, read: KeyRange) -> set[Watch]:
        if read.is_prefix:
            by_length = self._prefixes.setdefault(name, {})
            return by_length.setdefault(len(read.low), {}).setdefault(read.low, set())
        bounds = _bounds(read)
        by_bounds = self._ranges.setdefault(name, {})
        if bounds not in by_bounds:
            self._trees.setdefault(name, self._new_tree()).addi(*bounds)
        return by_bounds.setdefault(bounds, set())

    def _remove(self, watch: Watch) -> None:
        for name, ranges in watch.read_set.ranges.items():
            for read in ranges:
                if read.is_prefix:
                    self._remove_prefix(watch, name, read.low)
                elif not read.is_empty:
                    self._remove_range(watch, name, _bounds(read))

    def _remove_prefix(self, watch: Watch, name: IndexName, prefix: bytes) -> None:
        by_length = self._prefixes.get(name, {})
        by_prefix = by_length.get(len(prefix), {})
        watchers = by_prefix.get(prefix, set())
        watchers.discard(watch)
        if not watchers and by_prefix.pop(prefix, None) is not None and not by_prefix:
            del by_length[len(prefix)]

    def _remove_range(self, watch: Watch, name: IndexName, bounds: tuple[bytes, bytes]) -> None:
        by_bounds = self._ranges.get(name, {})
        watchers = by_bounds.get(bounds, set())
        watchers.discard(watch)
        if not watchers and by_bounds.pop(bounds, None) is not None:
            self._trees[name].removei(*bounds)


def _bounds(read: KeyRange) -> tuple[bytes, bytes]:
    return read.low, _ABOVE_ALL if read.high is None else read.high


def _interval_tree() -> Any:
    try:
        from intervaltree import IntervalTree
    except ImportError as error:
        raise ImportError(
            "the local deployment needs intervaltree: pip install 'convex-async[local]'"
        ) from error
    return IntervalTree
