"""Versions of documents: a reader sees one moment, and what no reader sees is forgotten."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.local.documents import RANKS, Table, place

Places = list[tuple[float, ...]]
ranks = st.tuples(st.integers(0, len(RANKS) - 1), st.integers(0, len(RANKS) - 1))


class Versions(RuleBasedStateMachine):
    """Writes, and readers of all moments that are still open."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.ids: list[str] = []
        self.readers: list[tuple[int, Places]] = []

    def read(self, at: int | None = None) -> Places:
        query, _ = self.table.query(at=at)
        found = [place(each) for each in asyncio.run(query.with_index("by_a_b").collect())]
        query._transaction.close()
        return found

    @rule(rank=ranks)
    def insert(self, rank: tuple[int, int]) -> None:
        self.ids += self.table.insert([rank])

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50))
    def delete(self, which: int) -> None:
        self.table.delete(self.ids.pop(which % len(self.ids)))

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50), rank=ranks)
    def replace(self, which: int, rank: tuple[int, int]) -> None:
        """It moves in the index, where its old place stays for older readers."""
        transaction = self.table.begin(writable=True)
        a, b = rank
        values = {"a": RANKS[a], "b": RANKS[b], "n": 0.0, "ranks": [a, b]}
        fields = {name: value for name, value in values.items() if value is not RANKS[0]}
        transaction.replace(self.ids[which % len(self.ids)], fields)
        self.table._commit(transaction)

    @rule()
    def open(self) -> None:
        self.readers.append((self.table.store.open_snapshot(), self.read()))

    @precondition(lambda self: self.readers)
    @rule(which=st.integers(0, 50))
    def close(self, which: int) -> None:
        ts, _ = self.readers.pop(which % len(self.readers))
        self.table.store.close_snapshot(ts)

    @invariant()
    def each_reader_sees_its_moment(self) -> None:
        for ts, seen in self.readers:
            assert self.read(ts) == seen

    @invariant()
    def what_nobody_sees_is_forgotten(self) -> None:
        store = self.table.store
        oldest = min((ts for ts, _ in self.readers), default=store.latest_ts)
        assert all(version.died > oldest for version in store._dead)
        assert all(commit.ts > oldest for commit in store._commits)
        entries = store._index("things", "by_a_b")
        assert len(entries) == len(self.ids) + len(store._dead)


TestVersions = Versions.TestCase
TestVersions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
