"""Paginator over a query that is a function of its arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from convex_async import CodecError, FunctionError, InvalidValueError, codec
from convex_async.client_base.pagination import Page, Paginator


class Messages:
    """Documents with numbers; a cursor is the number of the last one."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.asked: list[Mapping[str, Any]] = []
        self.fail_next = False
        self.hold: asyncio.Event | None = None
        self.held = asyncio.Event()

    async def query(self, path: str, args: Mapping[str, Any], type: Any) -> Any:
        self.asked.append(args)
        if self.hold is not None:
            self.held.set()
            await self.hold.wait()
        if self.fail_next:
            self.fail_next = False
            raise FunctionError("down")
        options = args["paginationOpts"]
        after = -1 if options["cursor"] is None else int(options["cursor"])
        rest = [number for number in self.numbers if number > after]
        page = rest[: options["numItems"]]
        result = {
            "page": [{"n": float(number)} for number in page],
            "isDone": len(rest) < options["numItems"],
            "continueCursor": str(page[-1]) if page else str(after),
            "splitCursor": None,
            "pageStatus": None,
        }
        return codec.decode(codec.encode(result), type=type)


def numbers(documents: Any) -> list[int]:
    return [int(document["n"]) for document in documents]


async def test_documents_to_the_end() -> None:
    messages = Messages(*range(7))
    paginator: Paginator[Any] = Paginator(messages.query, "messages:list", page_size=3)
    assert numbers([document async for document in paginator]) == list(range(7))
    cursors = [args["paginationOpts"]["cursor"] for args in messages.asked]
    assert cursors == [None, "2", "5"]


async def test_an_exact_end_has_one_empty_page() -> None:
    messages = Messages(*range(4))
    pages = [p async for p in Paginator[Any](messages.query, "m:l", page_size=2).pages()]
    assert [numbers(page) for page in pages] == [[0, 1], [2, 3], []]
    assert [page.is_done for page in pages] == [False, False, True]
    paginator: Paginator[Any] = Paginator(messages.query, "m:l", page_size=2)
    assert len([document async for document in paginator]) == 4


async def test_cursors_are_resumable() -> None:
    messages = Messages(*range(5))
    first = await anext(Paginator[Any](messages.query, "m:l", page_size=2).pages())
    assert (first.continue_cursor, first.is_done, len(first)) == ("1", False, 2)
    rest: Paginator[Any] = Paginator(messages.query, "m:l", cursor=first.continue_cursor)
    assert numbers([document async for document in rest]) == [2, 3, 4]


async def test_documents_added_meanwhile_are_not_doubled() -> None:
    messages = Messages(1, 3, 5)
    paginator: Paginator[Any] = Paginator(messages.query, "m:l", page_size=2)
    seen = numbers([await anext(paginator)])
    messages.numbers = [0, 1, 2, 3, 4, 5]
    seen += numbers([document async for document in paginator])
    assert seen == [1, 3, 4, 5]


async def test_a_failed_or_cancelled_page_is_asked_again() -> None:
    messages = Messages(*range(4))
    paginator: Paginator[Any] = Paginator(messages.query, "m:l", page_size=2)
    seen = numbers([await anext(paginator), await anext(paginator)])
    messages.fail_next = True
    with pytest.raises(FunctionError, match="down"):
        await anext(paginator)
    messages.hold = asyncio.Event()
    waiting = asyncio.create_task(asyncio.wait_for(anext(paginator), 10))
    await messages.held.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    messages.hold = None
    assert seen + numbers([document async for document in paginator]) == [0, 1, 2, 3]


async def test_tasks_may_share_a_paginator() -> None:
    messages = Messages(*range(20))
    paginator: Paginator[Any] = Paginator(messages.query, "m:l", page_size=3)
    seen: list[int] = []

    async def work() -> None:
        async for document in paginator:
            seen.append(int(document["n"]))
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(4)))
    assert sorted(seen) == list(range(20))


async def test_documents_take_the_type_that_is_asked_for() -> None:
    class Message(msgspec.Struct):
        n: int

    class Other(msgspec.Struct):
        n: str

    messages = Messages(0, 1)
    paginator: Paginator[Message] = Paginator(messages.query, "m:l", type=Message)
    assert [message async for message in paginator] == [Message(0), Message(1)]
    with pytest.raises(CodecError) as raised:
        await anext(Paginator[Other](messages.query, "m:l", type=Other))
    assert raised.value.path == "value.page[0].n"


async def test_arguments_are_taken_when_it_is_made() -> None:
    messages = Messages(1)
    args = {"tags": ["a"]}
    paginator: Paginator[Any] = Paginator(messages.query, "m:l", args)
    args["tags"].append("b")
    await anext(paginator)
    assert messages.asked[0]["tags"] == ["a"]
    for page_size in (0, 32_001):
        with pytest.raises(ValueError, match="page_size"):
            Paginator[Any](messages.query, "m:l", page_size=page_size)
    with pytest.raises(ValueError, match="paginationOpts"):
        Paginator[Any](messages.query, "m:l", {"paginationOpts": {}})
    with pytest.raises(ValueError, match="function path"):
        Paginator[Any](messages.query, "m-l:x")
    with pytest.raises(InvalidValueError, match="2"):
        Paginator[Any](messages.query, "m:l", {"n": 2**70})


def test_a_page_is_a_sequence() -> None:
    page = Page(["a", "b", "c"], continue_cursor="c", is_done=True)
    assert page == ["a", "b", "c"]
    assert page == Page(["a", "b", "c"], continue_cursor="x", is_done=False)
    assert page != ["a"]
    assert (page[0], page[-1], page[1:], len(page), "b" in page) == ("a", "c", ["b", "c"], 3, True)
    assert repr(page) == "<Page of 3 documents, the last>"
