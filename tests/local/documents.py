"""A store with one table of small documents, and queries of it, without functions around."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from convex_async import ConvexInt64
from convex_async.local import define_schema, define_table, v
from convex_async.local.context.cursors import Pages
from convex_async.local.context.query import Query
from convex_async.local.store.index_key import UNDEFINED
from convex_async.local.store.store import Store
from convex_async.local.transactions.transaction import Transaction

# Values of every place in the order of an index, lowest first; a document lacks what is undefined.
RANKS: list[Any] = [UNDEFINED, None, ConvexInt64(1), 0.0, 1.0, 2.0, True, "x", "xy", [0.0]]


def make_store() -> Store:
    schema = define_schema({"things": define_table(v.any())})
    schema.tables["things"].index("by_a_b", ["a", "b"])
    return Store(schema, first_ts=1)


class Table:
    """The table `things`, each of whose documents has a place `n` in the order of their making."""

    def __init__(self, ranks: Sequence[tuple[int, int]] = ()) -> None:
        self.store = make_store()
        self._count = 0
        self.insert(ranks)

    def begin(self, *, writable: bool = False, at: int | None = None) -> Transaction:
        return Transaction(
            self.store,
            now=float(self._count),
            writable=writable,
            rng=random.Random(self._count),
            at=at,
        )

    def insert(self, ranks: Sequence[tuple[int, int]]) -> list[str]:
        """Documents whose fields `a` and `b` have these places in `RANKS`; their ids."""
        ids: list[str] = []
        for a, b in ranks:
            self._count += 1
            transaction = self.begin(writable=True)
            fields = {"a": RANKS[a], "b": RANKS[b], "n": float(self._count), "ranks": [a, b]}
            present = {name: value for name, value in fields.items() if value is not UNDEFINED}
            ids.append(transaction.insert("things", present))
            self._commit(transaction)
        return ids

    def delete(self, document_id: str) -> None:
        transaction = self.begin(writable=True)
        transaction.delete(document_id)
        self._commit(transaction)

    def _commit(self, transaction: Transaction) -> None:
        self.store.apply(transaction.validated(self.store.latest_ts + 1))
        transaction.close()

    def query(self, journal: str | None = None, *, at: int | None = None) -> tuple[Query, Pages]:
        pages = Pages(journal)
        return Query(self.begin(at=at), pages, "things"), pages


def place(document: Mapping[str, Any]) -> tuple[float, ...]:
    """Where a document is in the index `by_a_b`."""
    return (*document["ranks"], document["n"])
