"""A transaction reads what it wrote, over a snapshot that others do not change."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from convex_async.local.context.cursors import Pages
from convex_async.local.context.query import Order, Query
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.documents import Write
from convex_async.local.store.ids import make_id
from convex_async.local.store.index_key import UNDEFINED, index_key
from convex_async.local.transactions.transaction import Transaction
from tests.local.documents import RANKS, Table

Ranks = tuple[int, int]
ranks = st.tuples(st.integers(0, len(RANKS) - 1), st.integers(0, len(RANKS) - 1))
which = st.integers(0, 50)


def fields_of(ranks: Ranks) -> dict[str, Any]:
    values = {"a": RANKS[ranks[0]], "b": RANKS[ranks[1]], "ranks": list(ranks)}
    return {name: value for name, value in values.items() if value is not UNDEFINED}


def documents(transaction: Transaction, order: Order = "asc") -> list[dict[str, Any]]:
    query = Query(transaction, Pages(None), "things").with_index("by_a_b").order(order)
    return asyncio.run(query.collect())


def begin(table: Table) -> Transaction:
    """A mutation that makes ids of its own, later than what is in the table."""
    rng = random.Random("of its own")
    return Transaction(table.store, now=1000.0, writable=True, rng=rng)


class OwnWrites(RuleBasedStateMachine):
    """One transaction beside a dict of the ranks of each document, while others commit."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.model: dict[str, Ranks] = {}
        for ranks in ((3, 3), (4, 0)):
            (made,) = self.table.insert([ranks])
            self.model[made] = ranks
        self.before = dict(self.model)
        self.transaction = begin(self.table)
        self.savepoints: list[tuple[dict[str, Write], dict[str, Ranks]]] = []

    def pick(self, which: int) -> str:
        return sorted(self.model)[which % len(self.model)]

    @rule(ranks=ranks)
    def insert(self, ranks: Ranks) -> None:
        self.model[self.transaction.insert("things", fields_of(ranks))] = ranks

    @precondition(lambda self: self.model)
    @rule(which=which, ranks=ranks)
    def replace(self, which: int, ranks: Ranks) -> None:
        picked = self.pick(which)
        self.transaction.replace(picked, fields_of(ranks))
        self.model[picked] = ranks

    @precondition(lambda self: self.model)
    @rule(which=which, rank=st.integers(0, len(RANKS) - 1))
    def patch(self, which: int, rank: int) -> None:
        picked = self.pick(which)
        ranks = (rank, self.model[picked][1])
        self.transaction.patch(picked, {"a": RANKS[rank], "ranks": list(ranks)})
        self.model[picked] = ranks

    @precondition(lambda self: self.model)
    @rule(which=which)
    def delete(self, which: int) -> None:
        picked = self.pick(which)
        self.transaction.delete(picked)
        del self.model[picked]
        with pytest.raises(FunctionProblem, match="nonexistent document"):
            self.transaction.delete(picked)

    @rule()
    def save(self) -> None:
        self.savepoints.append((self.transaction.savepoint(), dict(self.model)))

    @precondition(lambda self: self.savepoints)
    @rule()
    def roll_back(self) -> None:
        writes, self.model = self.savepoints.pop()
        self.transaction.rollback_to(writes)

    @rule(ranks=ranks)
    def others_commit(self, ranks: Ranks) -> None:
        self.table.insert([ranks])

    @invariant()
    def it_reads_what_it_wrote(self) -> None:
        found = documents(self.transaction)
        assert {d["_id"]: tuple(d["ranks"]) for d in found} == self.model
        keys = [(*d["ranks"], d["_creationTime"], d["_id"]) for d in found]
        assert keys == sorted(keys)
        assert documents(self.transaction, "desc") == found[::-1]
        assert [self.transaction.get(d["_id"]) for d in found] == found

    def teardown(self) -> None:
        """Nobody saw any of it; a commit has what is left of it, each document once."""
        reader = self.table.begin()
        committed = {d["_id"]: tuple(d["ranks"]) for d in documents(reader)}
        reader.close()
        assert {key: committed[key] for key in self.before} == self.before
        assert not (self.model.keys() - self.before.keys()) & committed.keys()
        self.transaction.read_set.ranges.clear()  # others did commit what it would have read
        commit = self.transaction.validated(self.table.store.latest_ts + 1)
        for write in commit.writes:
            before = None if write.before is None else tuple(write.before.fields["ranks"])
            after = None if write.after is None else tuple(write.after.fields["ranks"])
            document = write.after or write.before
            assert document is not None
            assert before == self.before.get(document.document_id)
            assert after == self.model.get(document.document_id)
        changed = {key for key in self.before if self.before[key] != self.model.get(key)}
        written = {w.before.document_id for w in commit.writes if w.before is not None}
        assert changed <= written
        self.table.store.apply(commit)
        self.transaction.close()
        reader = self.table.begin()
        found = {d["_id"]: tuple(d["ranks"]) for d in documents(reader)}
        others = {key: value for key, value in committed.items() if key not in self.before}
        assert found == others | self.model


TestOwnWrites = OwnWrites.TestCase
TestOwnWrites.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


@pytest.fixture
def table() -> Table:
    return Table([(3, 3)])


@pytest.fixture
def transaction(table: Table) -> Iterator[Transaction]:
    transaction = begin(table)
    yield transaction
    transaction.close()


@pytest.fixture
def made(transaction: Transaction) -> str:
    """The id of the one document."""
    (document,) = documents(transaction)
    return str(document["_id"])


def test_what_is_handed_out_is_the_callers_own(transaction: Transaction, made: str) -> None:
    first = transaction.get(made)
    assert first is not None
    first["ranks"].append("changed")
    documents(transaction)[0]["ranks"].append("changed")
    assert transaction.get(made) == documents(transaction)[0]
    assert documents(transaction)[0]["ranks"] == [3, 3]


def test_a_patch_takes_fields_away_and_keeps_the_systems(
    transaction: Transaction, made: str
) -> None:
    before = transaction.get(made)
    assert before is not None
    transaction.patch(made, {"a": UNDEFINED, "missing": UNDEFINED, "more": [1.0]})
    after = transaction.get(made)
    assert after == {k: v for k, v in before.items() if k != "a"} | {"more": [1.0]}
    # As they were read, the system's fields may be given back.
    transaction.replace(made, before)
    assert transaction.get(made) == before


def test_documents_of_one_transaction_keep_their_order(transaction: Transaction) -> None:
    ids = [transaction.insert("things", {}) for _ in range(100)]
    found = asyncio.run(Query(transaction, Pages(None), "things").collect())
    assert [document["_id"] for document in found[1:]] == ids
    times = [document["_creationTime"] for document in found]
    assert times == sorted(set(times))


def changed(document_id: str) -> str:
    """The id with another character, which its checksum tells."""
    return document_id[:9] + ("0" if document_id[9] != "0" else "1") + document_id[10:]


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda t, made: t.insert("things", {"_id": made}), "'_id' starts with '_'"),
        (lambda t, made: t.insert("things", {"_mine": 1.0}), "'_mine' starts with '_'"),
        (lambda t, made: t.patch(made, {"_mine": 1.0}), "'_mine' starts with '_'"),
        (lambda t, made: t.patch(made, {"_id": "other"}), "_id of a document can't be changed"),
        (lambda t, made: t.replace(made, {"_creationTime": 0.0}), "_creationTime of a document"),
        (lambda t, made: t.insert("_storage", {}), "only be accessed with db.system"),
        (lambda t, made: t.insert("no table", {}), "Invalid table name"),
        (
            lambda t, made: t.get("nonsense"),
            "for `db.get`: Unable to decode ID: Invalid ID length 8",
        ),
        (lambda t, made: t.get(None), "None is not a document id"),
        (lambda t, made: t.delete(made[:-1] + "~"), "ID wasn't valid base32"),
        (lambda t, made: t.delete(changed(made)), "for `db.delete`: Unable to decode ID: Inv"),
    ],
)
def test_what_is_refused_changes_nothing(
    transaction: Transaction, made: str, write: Callable[[Transaction, str], Any], told: str
) -> None:
    before = documents(transaction)
    with pytest.raises(FunctionProblem, match=told):
        write(transaction, made)
    assert documents(transaction) == before


def test_an_id_of_a_table_that_there_is_not(transaction: Transaction) -> None:
    assert transaction.get(make_id(9, random.Random(1))) is None


def test_a_query_cannot_write(table: Table, made: str) -> None:
    reader = table.begin()
    writes: list[Callable[[], Any]] = [
        lambda: reader.insert("things", {}),
        lambda: reader.patch(made, {}),
        lambda: reader.delete(made),
    ]
    for write in writes:
        with pytest.raises(FunctionProblem, match="A query can't write"):
            write()
    reader.close()


def test_a_function_that_has_ended_has_no_database(table: Table, made: str) -> None:
    transaction = begin(table)
    transaction.close()
    transaction.close()
    uses: list[Callable[[], Any]] = [
        lambda: transaction.get(made),
        lambda: transaction.delete(made),
        lambda: transaction.insert("things", {}),
        lambda: documents(transaction),
        lambda: transaction.validated(10**18),
    ]
    for use in uses:
        with pytest.raises(FunctionProblem, match="has ended"):
            use()


def test_own_documents_of_a_range_are_from_its_low_key_to_before_its_high_one(
    table: Table,
) -> None:
    transaction = table.begin(writable=True)
    for rank in (1, 2, 3):
        transaction.insert("things", {"a": float(rank), "b": 0.0})
    low, high = index_key([1.0]), index_key([3.0])
    found = [
        d.fields["a"] for _, d in transaction.scan("things", "by_a_b", low, high, descending=False)
    ]
    assert found == [1.0, 2.0]
    exact = next(iter(transaction.scan("things", "by_a_b", low, high, descending=False)))[0]
    again = list(transaction.scan("things", "by_a_b", exact, high, descending=False))
    assert [d.fields["a"] for _, d in again] == [1.0, 2.0]
    before = list(transaction.scan("things", "by_a_b", b"", exact, descending=True))
    assert before == []
