"""The rules of live pages by themselves, as npm's `usePaginatedQuery` has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from convex_async.errors import ConvexError, FunctionError
from convex_async.function_path import canonical_path
from convex_async.protocol.results import Failed, FunctionResult, Succeeded
from convex_async.reactive.page_set import PageSet


class Followed:
    """A page set whose queries a test answers."""

    def __init__(self, page_size: int = 2) -> None:
        self.options: dict[int, dict[str, Any]] = {}
        self.results: dict[int, FunctionResult | None] = {}
        self.pages = PageSet(canonical_path("items:page"), page_size, self.add, self.remove)

    def add(self, key: int, options: Mapping[str, Any]) -> None:
        self.options[key] = dict(options)
        self.results[key] = None

    def remove(self, key: int) -> None:
        del self.options[key], self.results[key]

    def answer(self, key: int, items: list[int], end: str, **more: Any) -> None:
        page = {"page": items, "isDone": False, "continueCursor": end, **more}
        self.results[key] = Succeeded(msgspec.json.encode(page))

    def fail(self, key: int, message: str, data: Any = None) -> None:
        wire = None if data is None else msgspec.json.encode(data)
        self.results[key] = Failed(message, wire)

    def settle(self) -> list[int] | None:
        self.pages.settle(dict(self.results))
        return None if self.pages.wire is None else msgspec.json.decode(self.pages.wire)

    def cursors(self) -> dict[int, tuple[str | None, str | None]]:
        return {key: (o["cursor"], o.get("endCursor")) for key, o in self.options.items()}


def status(pages: PageSet) -> str:
    """The status, which type checkers would else believe to stay."""
    return pages.status


def test_a_list_grows_page_by_page() -> None:
    followed = Followed()
    pages = followed.pages
    assert followed.settle() is None
    assert (status(pages), pages.load_more(2)) == ("loading", False)
    followed.answer(0, [1, 2], "b")
    assert followed.settle() == [1, 2]
    assert status(pages) == "can_load_more"
    assert pages.load_more(5)
    assert not pages.load_more(5)
    assert followed.options[1]["numItems"] == 5
    assert followed.options[1]["id"] == followed.options[0]["id"]
    assert followed.cursors() == {0: (None, None), 1: ("b", None)}
    assert followed.settle() == [1, 2]
    assert status(pages) == "loading_more"
    followed.answer(1, [], "d", isDone=True)
    assert followed.settle() == [1, 2]
    assert status(pages) == "exhausted"
    assert not pages.load_more(5)


@pytest.mark.parametrize(
    ("items", "more"),
    [
        ([1, 2, 3, 4, 5], {}),
        ([1, 2], {"pageStatus": "SplitRecommended"}),
    ],
)
def test_a_page_is_replaced_by_its_halves_when_both_are_there(
    items: list[int], more: dict[str, Any]
) -> None:
    followed = Followed()
    followed.answer(0, items, "z", splitCursor="m", **more)
    assert followed.settle() == items
    assert followed.cursors() == {0: (None, None), 1: (None, "m"), 2: ("m", "z")}
    followed.answer(1, items[:1], "m")
    assert followed.settle() == items  # not yet
    assert status(followed.pages) == "can_load_more"
    followed.answer(2, items[1:], "z")
    assert followed.settle() == items
    assert set(followed.cursors()) == {1, 2}
    assert followed.pages.load_more(2)
    assert followed.cursors()[3] == ("z", None)


def test_a_long_page_without_a_middle_stays() -> None:
    followed = Followed()
    followed.answer(0, [1, 2, 3, 4, 5], "z", splitCursor=None)
    assert followed.settle() == [1, 2, 3, 4, 5]
    assert set(followed.cursors()) == {0}


def test_an_incomplete_page_is_not_shown_before_it_is_split() -> None:
    followed = Followed()
    followed.answer(0, [1, 2], "b")
    followed.settle()
    followed.pages.load_more(2)
    followed.answer(1, [3], "d", splitCursor="c", pageStatus="SplitRequired")
    assert followed.settle() == [1, 2]
    assert status(followed.pages) == "loading_more"
    followed.answer(2, [3], "c")
    followed.answer(3, [4, 5], "d")
    assert followed.settle() == [1, 2, 3, 4, 5]
    assert status(followed.pages) == "can_load_more"


INVALID = {"isConvexSystemError": True, "paginationError": "InvalidCursor"}


@pytest.mark.parametrize(("message", "data"), [("an InvalidCursor", None), ("x", INVALID)])
def test_an_invalid_cursor_begins_anew(message: str, data: Any) -> None:
    followed = Followed()
    followed.answer(0, [1, 2, 3, 4, 5], "b", splitCursor="a")
    followed.settle()
    followed.pages.load_more(2)
    session = followed.options[0]["id"]
    followed.fail(3, message, data)
    followed.settle()
    assert status(followed.pages) == "loading"
    assert followed.cursors() == {4: (None, None)}
    assert followed.options[4]["id"] != session
    followed.answer(4, [7], "e", isDone=True)
    assert followed.settle() == [7]


def test_a_query_that_finds_no_cursor_invalid_is_not_asked_for_ever() -> None:
    followed = Followed()
    followed.fail(0, "x", INVALID)
    with pytest.raises(ConvexError):
        followed.settle()
    assert set(followed.cursors()) == {0}


def test_another_failure_is_raised_and_passes() -> None:
    followed = Followed()
    followed.answer(0, [1, 2], "b")
    followed.settle()
    followed.fail(0, "Server Error")
    with pytest.raises(FunctionError, match="items:page: Server Error"):
        followed.settle()
    followed.answer(0, [1, 2], "b")
    assert followed.settle() == [1, 2]


def test_a_query_that_returns_no_page_is_a_type_error() -> None:
    followed = Followed()
    followed.results[0] = Succeeded(b'{"page": 1}')
    with pytest.raises(TypeError, match="items:page does not return"):
        followed.settle()
