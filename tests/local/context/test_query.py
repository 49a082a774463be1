"""Queries of an index, beside a list that is sorted and cut by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from operator import ge, gt, le, lt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async.errors import CodecError
from convex_async.local.context.cursors import Pages
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
        (lambda q: q.eq("b", 1), "[a, b, _creationTime, _id]\nQuery fields: [b]\nFirst incorrect "),
        (lambda q: q.gt("b", 1), "didn't use the index fields in order"),
        (lambda q: q.eq("a", 1).gt("_creationTime", 1), "First incorrect field: _creationTime"),
        (lambda q: q.eq("a", 1).gt("a", 1), "First incorrect field: a"),
        (lambda q: q.gt("a", 1).lt("b", 1), 'set a range bound on both "a" and "b"'),
        (
            lambda q: q.gt("a", 1).gte("a", 2),
            'lower bound in index range. Can\'t add "a" >=',
        ),
        (
            lambda q: q.lt("a", 1).lte("a", 2),
            'upper bound in index range. Can\'t add "a" <=',
        ),
        (
            lambda q: q.eq("a", 1).eq("a", 2),
            'equality bound in index range. Can\'t add "a" ==',
        ),
        (lambda q: q.eq("c", 1), 'a comparison with "c", but things.by_a_b with fields'),
    ],
)
def test_a_range_takes_the_first_fields_of_the_index(
    build: Callable[[IndexRange], IndexRange], told: str
) -> None:
    query, _ = Table().query()
    with pytest.raises(FunctionProblem) as caught:
        query.with_index("by_a_b", build)
    assert told in str(caught.value)


def test_the_calls_of_a_range_may_come_in_any_order() -> None:
    table = Table([(3, 0), (3, 1), (3, 2), (4, 1)])

    def found(build: Callable[[IndexRange], IndexRange]) -> list[int]:
        query, _ = table.query()
        documents = asyncio.run(query.with_index("by_a_b", build).collect())
        return [document["n"] for document in documents]

    three = RANKS[3]
    assert found(lambda q: q.gt("b", RANKS[0]).eq("a", three)) == [2, 3]
    assert found(lambda q: q.lt("b", RANKS[2]).eq("a", three).gte("b", RANKS[1])) == [2]
    assert found(lambda q: q.eq("b", RANKS[1]).eq("a", three)) == [2]


def test_creation_time_and_id_are_the_last_fields_of_every_index() -> None:
    table = Table([(3, 0), (3, 0), (3, 0)])
    query, _ = table.query()
    first, second, third = asyncio.run(query.collect())

    def found(index: str, build: Callable[[IndexRange], IndexRange]) -> list[int]:
        query, _ = table.query()
        documents = asyncio.run(query.with_index(index, build).collect())
        return [document["n"] for document in documents]

    def both(q: IndexRange) -> IndexRange:
        return q.eq("a", RANKS[3]).eq("b", RANKS[0])

    time, id = second["_creationTime"], second["_id"]
    assert found("by_a_b", lambda q: both(q).gt("_creationTime", first["_creationTime"])) == [2, 3]
    assert found("by_a_b", lambda q: both(q).eq("_creationTime", time).eq("_id", id)) == [2]
    assert found("by_a_b", lambda q: both(q).eq("_creationTime", time).gt("_id", id)) == []
    assert found("by_creation_time", lambda q: q.lte("_creationTime", time)) == [1, 2]
    assert found("by_creation_time", lambda q: q.eq("_creationTime", time).eq("_id", id)) == [2]
    assert found("by_id", lambda q: q.eq("_id", third["_id"])) == [3]


@pytest.mark.parametrize("value", [bytearray(b"a"), memoryview(b"a"), b"a"])
def test_values_of_a_range_are_taken_as_those_of_documents(value: Any) -> None:
    low, high = IndexRange(("a",)).eq("a", value).keys()
    assert (low, high) == IndexRange(("a",)).eq("a", b"a").keys()
    for same, other in (((1.0, 2.0), [1.0, 2.0]), (1, 1.0)):
        assert IndexRange(("a",)).eq("a", same).keys() == IndexRange(("a",)).eq("a", other).keys()


@pytest.mark.parametrize("value", [{1.0}, 2**60, object(), {1: 2}])
@pytest.mark.parametrize("method", ["eq", "gt", "gte", "lt", "lte"])
def test_values_that_no_document_has_are_refused_in_a_range(value: Any, method: str) -> None:
    with pytest.raises(CodecError):
        getattr(IndexRange(("a",)), method)("a", value)


def test_first_reads_the_first_document_alone() -> None:
    transaction = Table([(3, 0), (4, 0)]).begin()
    query = Query(transaction, Pages(None), "things")
    found = asyncio.run(query.first())
    assert found is not None
    assert found["n"] == 1
    assert transaction.metrics["documentsRead"][0] == 1


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


def test_a_predicate_that_awaits_is_refused() -> None:
    async def never(document: dict[str, Any]) -> bool:
        return False

    query, _ = Table().query()
    with pytest.raises(FunctionProblem, match="takes a plain function"):
        query.filter(never)
