"""Pages of a query: each document once, whatever is written meanwhile, and live ones in place."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async import ConvexError
from convex_async.local.context.query import Order
from convex_async.local.problems import FunctionProblem
from tests.local.documents import RANKS, Table, place

ranks = st.tuples(st.integers(0, len(RANKS) - 1), st.integers(0, len(RANKS) - 1))
tables = st.lists(ranks, max_size=25)
orders = st.sampled_from(["asc", "desc"])
sizes = st.integers(1, 7)


class Feed:
    """The pages of `things` by their index, in one order, as a client asks for them."""

    def __init__(self, table: Table, order: Order) -> None:
        self.table = table
        self.order = order

    def page(self, size: int, cursor: Any = None, journal: str | None = None, **more: Any) -> Any:
        """A page, with the journal of its run."""
        query, pages = self.table.query(journal)
        opts = {"numItems": float(size), "cursor": cursor, **more}
        page = asyncio.run(query.with_index("by_a_b").order(self.order).paginate(opts))
        return page | {"journal": pages.made}

    def all(self) -> list[tuple[float, ...]]:
        query, _ = self.table.query()
        found = asyncio.run(query.with_index("by_a_b").order(self.order).collect())
        return [place(document) for document in found]


def places(page: Any) -> list[tuple[float, ...]]:
    return [place(document) for document in page["page"]]


@given(tables, orders, sizes)
def test_pages_are_the_whole_in_pieces(
    documents: list[tuple[int, int]], order: Order, size: int
) -> None:
    feed = Feed(Table(documents), order)
    found: list[tuple[float, ...]] = []
    cursor, is_done = None, False
    while not is_done:
        page = feed.page(size, cursor)
        found += places(page)
        cursor, is_done = page["continueCursor"], page["isDone"]
        assert is_done or len(page["page"]) == size
        assert len(found) <= len(documents)
    assert found == feed.all()
    assert feed.page(size, page["continueCursor"])["page"] == []  # there is nothing after the end


@given(tables, orders, sizes, st.data())
def test_writes_between_the_pages_neither_repeat_nor_skip(
    documents: list[tuple[int, int]], order: Order, size: int, data: st.DataObject
) -> None:
    table = Table()
    ids = table.insert(documents)
    feed = Feed(table, order)
    before = set(feed.all())
    found: list[tuple[float, ...]] = []
    cursor, is_done = None, False
    while not is_done:
        page = feed.page(size, cursor)
        found += places(page)
        cursor, is_done = page["continueCursor"], page["isDone"]
        assert len(found) == len(set(found))
        if len(found) < 40:
            table.insert(data.draw(st.lists(ranks, max_size=2)))
        deletes = data.draw(st.booleans())
        if deletes and ids:
            table.delete(ids.pop())
    assert found == sorted(found, reverse=order == "desc")
    assert before & set(feed.all()) <= set(found)


@given(tables, orders, sizes, st.lists(ranks, max_size=10), st.data())
def test_live_pages_keep_their_places(
    documents: list[tuple[int, int]],
    order: Order,
    size: int,
    later: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    """A page that is run again with its journal grows and shrinks between the same two cursors."""
    table = Table()
    ids = table.insert(documents)
    feed = Feed(table, order)
    runs = [feed.page(size)]
    cursors = [None]
    while not runs[-1]["isDone"]:
        assert len(runs) <= len(documents) + 1
        cursors.append(runs[-1]["continueCursor"])
        runs.append(feed.page(size, cursors[-1]))
    table.insert(later)
    gone = st.lists(st.sampled_from(ids), unique=True) if ids else st.just(list[str]())
    for document_id in data.draw(gone):
        table.delete(document_id)
    found: list[tuple[float, ...]] = []
    for cursor, run in zip(cursors, runs, strict=True):
        again = feed.page(size, cursor, run["journal"])
        assert again["continueCursor"] == run["continueCursor"]
        assert again["isDone"] == run["isDone"]
        # `endCursor`, which the hook of React passes, says the same as the journal.
        ended = feed.page(size, cursor, endCursor=run["continueCursor"])
        assert places(ended) == places(again)
        found += places(again)
    assert found == feed.all()


@settings(max_examples=50)
@given(st.lists(ranks, min_size=3, max_size=25), orders)
def test_a_page_splits_into_two(documents: list[tuple[int, int]], order: Order) -> None:
    feed = Feed(Table(documents), order)
    whole = feed.page(100)
    first = feed.page(100, None, endCursor=whole["splitCursor"])
    second = feed.page(100, whole["splitCursor"], endCursor=whole["continueCursor"])
    assert places(first) + places(second) == places(whole)
    assert abs(len(first["page"]) - len(second["page"])) <= 1
    assert not first["isDone"]
    assert second["isDone"]


def test_a_page_that_grew_large_should_be_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convex_async.local.context.query.SPLIT_RECOMMENDED_ITEMS", 3)
    feed = Feed(Table([(3, 3)] * 4), "asc")
    assert feed.page(3)["pageStatus"] is None
    assert feed.page(4)["pageStatus"] == "SplitRecommended"


def test_a_filter_does_not_shorten_a_page() -> None:
    table = Table([(3, rank) for rank in range(len(RANKS))])
    query, _ = table.query()
    page = asyncio.run(
        query.filter(lambda d: d["n"] % 2 == 0).paginate({"numItems": 3, "cursor": None})
    )
    assert [document["n"] for document in page["page"]] == [2, 4, 6]


@pytest.mark.parametrize(
    ("opts", "told"),
    [
        ({"numItems": 0}, "Must request at least 1 document while paginating"),
        ({"numItems": 32_001}, "Requested too many items: 32001"),
        *(({"numItems": n}, "numItems is a whole") for n in (-1, None, "3", math.nan, 1.5, True)),
        ({"numItems": 1, "maximumRowsRead": 0}, "must be greater than 0"),
        ({"numItems": 1, "maximumBytesRead": 0}, "must be greater than 0"),
        ({"numItems": 1, "maximumRowsRead": "1"}, "maximumRowsRead is a whole number"),
    ],
)
def test_a_page_that_can_not_be(opts: dict[str, Any], told: str) -> None:
    query, _ = Table().query()
    with pytest.raises(FunctionProblem, match=told):
        asyncio.run(query.paginate({"cursor": None, **opts}))


@given(tables, sizes, st.integers(1, 9), orders)
def test_a_page_ends_where_it_may_read_no_more_and_the_next_goes_on(
    documents: list[tuple[int, int]], size: int, most: int, order: Order
) -> None:
    feed = Feed(Table(documents), order)
    cursor, seen = None, []
    while True:
        page = feed.page(size, cursor, maximumRowsRead=float(most))
        seen += [place(document) for document in page["page"]]
        assert len(page["page"]) <= min(size, most)
        if page["pageStatus"] == "SplitRequired":
            assert len(page["page"]) == most < size
            assert not page["isDone"]
        if page["isDone"]:
            break
        cursor = page["continueCursor"]
    assert seen == feed.all()


def test_a_page_by_what_it_may_read() -> None:
    feed = Feed(Table([(3, 3)] * 8), "asc")
    (first,) = feed.page(1)["page"]
    told = [feed.page(n, maximumRowsRead=8)["pageStatus"] for n in (6, 7)]
    assert told == [None, "SplitRecommended"]
    cut = feed.page(8, maximumBytesRead=1)
    assert (cut["page"], cut["pageStatus"]) == ([first], "SplitRequired")
    # What ends at a cursor is read as a whole.
    end = feed.page(4)["continueCursor"]
    whole = feed.page(1, None, endCursor=end, maximumRowsRead=1)
    assert (len(whole["page"]), whole["pageStatus"]) == (4, "SplitRecommended")


def test_a_run_has_one_page() -> None:
    query, _ = Table().query()
    asyncio.run(query.paginate({"numItems": 1, "cursor": None}))
    with pytest.raises(FunctionProblem, match="ran multiple paginated queries"):
        asyncio.run(query.order("desc").paginate({"numItems": 1, "cursor": None}))


@pytest.mark.parametrize("name", ["cursor", "endCursor"])
def test_a_cursor_of_something_else_is_told(name: str) -> None:
    """Clients begin anew on this error, which they know by its data."""
    feed = Feed(Table([(3, 3)] * 3), "asc")
    other = Feed(feed.table, "desc").page(1)["continueCursor"]
    for bad in (other, "junk", "bnVsbA==", 3.0):
        with pytest.raises(ConvexError, match="InvalidCursor") as caught:
            feed.page(1, **{name: bad} if name == "cursor" else {"cursor": None, name: bad})
        assert caught.value.data == {
            "isConvexSystemError": True,
            "paginationError": "InvalidCursor",
        }
