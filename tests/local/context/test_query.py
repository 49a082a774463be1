"""Queries of an index, beside a list that is sorted and cut by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from operator import ge, gt, le, lt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async.local.context.index_range import IndexRange
from convex_async.local.context.query import Order, Query
from convex_async.local.problems import FunctionProblem
from tests.local.documents import RANKS, Table, place

ranks = st.integers(0, len(RANKS) - 1)
tables = st.lists(st.tuples(ranks, ranks), max_size=25)
orders = st.sampled_from(["asc", "desc"])
LOWER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge}
UPPER: dict[str, Callable[[Any, Any], bool]] = {"lt": lt, "lte": le}
# A bound on the last field of a range: how it is called, and its rank.
lower = st.none() | st.tuples(st.sampled_from(sorted(LOWER)), ranks)
upper = st.none() | st.tuples(st.sampled_from(sorted(UPPER)), ranks)


@given(tables, st.lists(ranks, max_size=1), lower, upper, orders, st.none() | st.integers(0, 30))
def test_a_range_in_order(
    documents: list[tuple[int, int]],
    equal: list[int],
    low: tuple[str, int] | None,
    high: tuple[str, int] | None,
    order: Order,
    count: int | None,
) -> None:
    """`eq` on the first field or none, bounds on the next one, either order, any count."""

    def build(q: IndexRange) -> IndexRange:
        fields = ["a", "b"]
        for rank in equal:
            q = q.eq(fields.pop(0), RANKS[rank])
        for bound in (low, high):
            if bound is not None:
                q = getattr(q, bound[0])(fields[0], RANKS[bound[1]])
        return q

    def is_within(document: tuple[int, int]) -> bool:
        bounded = document[len(equal)]
        return (
            list(document[: len(equal)]) == equal
            and (low is None or LOWER[low[0]](bounded, low[1]))
            and (high is None or UPPER[high[0]](bounded, high[1]))
        )

    query, _ = Table(documents).query()
    found = asyncio.run(query.with_index("by_a_b", build).order(order).take(count))
    expected = sorted((*d, n + 1) for n, d in enumerate(documents) if is_within(d))
    expected = expected if order == "asc" else expected[::-1]
    assert [place(document) for document in found] == expected[:count]


@given(tables, orders)
def test_without_an_index_by_creation_time_and_filtered(
    documents: list[tuple[int, int]], order: Order
) -> None:
    query, _ = Table(documents).query()
    filtered = query.order(order).filter(lambda d: d["ranks"][0] > 3).filter(lambda d: d["n"] > 2)
    found = [document["n"] for document in asyncio.run(filtered.collect())]
    expected = [n for n, (a, _) in enumerate(documents, 1) if a > 3 and n > 2]
    assert found == (expected if order == "asc" else expected[::-1])
    first = asyncio.run(filtered.first())
    assert (first and first["n"]) == (found[0] if found else None)


def test_unique_is_of_none_or_one() -> None:
    table = Table([(3, 0), (4, 0), (4, 1)])

    def unique(rank: int) -> Any:
        query, _ = table.query()
        return asyncio.run(query.with_index("by_a_b", lambda q: q.eq("a", RANKS[rank])).unique())

    assert unique(5) is None
    assert unique(3)["n"] == 1
    with pytest.raises(FunctionProblem, match="more than one result from table things"):
        unique(4)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda q: q.eq("b", 1), "'a' is due, not 'b'"),
        (lambda q: q.gt("a", 1).eq("b", 1), "can't follow a bound"),
        (lambda q: q.gt("a", 1).lt("b", 1), "'a' is due, not 'b'"),
        (lambda q: q.gt("a", 1).gte("a", 2), "lower bound of 'a' is set already"),
        (lambda q: q.lt("a", 1).lte("a", 2), "upper bound of 'a' is set already"),
        (lambda q: q.eq("a", 1).eq("b", 1).eq("_creationTime", 1).eq("c", 1), "'none' is due"),
    ],
)
def test_a_range_takes_the_fields_in_order(
    build: Callable[[IndexRange], IndexRange], told: str
) -> None:
    query, _ = Table().query()
    with pytest.raises(FunctionProblem, match=told):
        query.with_index("by_a_b", build)


def test_indexes_and_orders_that_are_not_there() -> None:
    query, _ = Table().query()
    with pytest.raises(FunctionProblem, match=r"things\.by_c not found; there are \['by_a_b'"):
        query.with_index("by_c")
    with pytest.raises(FunctionProblem, match="'asc' or 'desc', not 'up'"):
        query.order("up")  # type: ignore[arg-type]


def test_a_query_is_not_changed_by_what_is_made_of_it() -> None:
    query, _ = Table([(3, 0), (4, 0)]).query()
    query.with_index("by_a_b", lambda q: q.eq("a", RANKS[3])).order("desc").filter(bool)
    assert [document["n"] for document in asyncio.run(query.collect())] == [1, 2]


@given(tables, st.integers(1, 5), orders)
def test_what_was_read_is_noted_as_far_as_it_was_looked_at(
    documents: list[tuple[int, int]], count: int, order: Order
) -> None:
    """A document beyond the last one taken does not matter; one among them does."""
    table = Table(documents)
    query, _ = table.query()
    taken = asyncio.run(query.with_index("by_a_b").order(order).take(count))
    read = query._transaction.read_set
    for number, rank in enumerate(range(len(RANKS))):
        (made,) = table.insert([(rank, rank)])
        commit = table.store._commits[-1]
        here = (rank, rank, len(documents) + number + 1)
        last = place(taken[-1]) if taken else None
        among = len(taken) < count or (
            last is not None and (here <= last if order == "asc" else here >= last)
        )
        assert read.overlaps(commit) == among
        table.delete(made)


ASKED: dict[str, Callable[[Query], Coroutine[Any, Any, Any]]] = {
    "collect": lambda query: query.collect(),
    "first": lambda query: query.first(),
    "paginate": lambda query: query.paginate({"numItems": 2, "cursor": None}),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_filter_that_raises_has_read_its_range(
    ask: Callable[[Query], Coroutine[Any, Any, Any]],
) -> None:
    """Or a live query that failed over a document would not hear that it is gone."""
    table = Table()
    (made,) = table.insert([(3, 0)])
    query, _ = table.query()
    with pytest.raises(KeyError):
        asyncio.run(ask(query.with_index("by_a_b").filter(lambda document: document["missing"])))
    table.delete(made)
    assert query._transaction.read_set.overlaps(table.store._commits[-1])


@pytest.mark.parametrize("count", [-1, 0.5, float("nan"), float("inf")])
def test_a_number_of_documents_is_a_count(count: float) -> None:
    """Source: convex-js src/server/impl/query_impl.ts, take."""
    query, _ = Table().query()
    with pytest.raises(FunctionProblem, match="takes a non-negative integer"):
        asyncio.run(query.take(count))
