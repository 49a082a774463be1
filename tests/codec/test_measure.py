"""Sizes counted in a text are those of the value that decoding makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async.codec.values import decode, encode, measure
from convex_async.errors import CodecError, InvalidValueError
from tests.codec.random_values import damaged, respelled, value

MOST_ITEMS, MOST_FIELDS = 3, 2


def counted(value: Any) -> int:
    """By the rules, with the value in hand (docs.convex.dev/production/state/limits)."""
    match value:
        case None | bool():
            return 1
        case int() | float():
            return 9
        case str():
            return 2 + len(value.encode())
        case bytes():
            return 2 + len(value)
        case dict():
            return 2 + sum(len(name) + 1 + counted(part) for name, part in value.items())
        case _:
            return 2 + sum(map(counted, value))


def excesses(value: Any) -> list[tuple[str, int]]:
    """The containers with too many parts, those that begin first first."""
    if isinstance(value, dict):
        found = [("object", len(value))] if len(value) > MOST_FIELDS else []
        return found + [one for part in value.values() for one in excesses(part)]
    if isinstance(value, list):
        found = [("array", len(value))] if len(value) > MOST_ITEMS else []
        return found + [one for part in value for one in excesses(part)]
    return []


def measured(text: bytes) -> tuple[int, tuple[str, int] | None]:
    return measure(text, max_items=MOST_ITEMS, max_fields=MOST_FIELDS)


@given(seed=st.integers(0, 2**32))
def test_a_text_is_measured_as_its_value(seed: int) -> None:
    rng = random.Random(seed)
    try:
        canonical = encode(value(rng))
    except CodecError:
        return
    for text in (canonical, respelled(rng, canonical)):
        made = decode(text)
        size, excess = measured(text)
        assert size == counted(made)
        expected = excesses(made)
        assert excess in expected if expected else excess is None
    size, excess = measured(canonical)
    assert excess == next(iter(excesses(decode(canonical))), None)


@given(seed=st.integers(0, 2**32))
def test_what_is_no_value_is_refused_as_by_decoding(seed: int) -> None:
    rng = random.Random(seed)
    try:
        text = damaged(rng, encode(value(rng)))
    except CodecError:
        return
    assert outcome(lambda: measured(text)[0]) == outcome(lambda: counted(decode(text)))


def outcome(reckon: Callable[[], int]) -> int | str:
    try:
        return reckon()
    except InvalidValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"long","a":1}',
        b'{"b":1,"a":[1,2,3,4],"b":null,"a":"x"}',
        b'{"$bytes":"AA==","$bytes":"AAAA"}',
        b'{"$bytes":1,"$bytes":"AAAA"}',
        b'{"\\u0024bytes":"AAAA"}',
        rb'"\ud83d\ude00\n"',
        b" [ 1 , 2.0e3 , -0 ] ",
    ],
)
def test_odd_spellings(text: bytes) -> None:
    made = decode(text)
    assert measured(text) == (counted(made), None)


@pytest.mark.parametrize(
    "text",
    [
        b'{"$bytes":"AB=="}',
        b'{"$bytes":"A*=="}',
        b'{"$x":1}',
        b'{"$integer":"AA=="}',
        b"[1",
        b"[1]]",
    ],
)
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidValueError):
        measured(text)


def test_of_two_the_one_around_the_other_is_told() -> None:
    inner = [0.0] * (MOST_ITEMS + 1)
    assert measured(encode([inner, 0.0])) == (2 + 38 + 9, ("array", 4))
    assert measured(encode([inner, *inner])) == (2 + 38 + 36, ("array", 5))
    assert measured(encode({"a": inner, "b": 0.0, "c": 0.0}))[1] == ("object", 3)
