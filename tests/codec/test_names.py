"""Field names are kept from one text to the next; that must never show."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import InvalidValueError
from tests.codec import oracle

LENGTHS = (0, 1, 4, 5, 6, 7, 8, 12, 13, 14, 15, 21, 22, 29, 30, 43, 44, 45, 46, 47, 48, 100)


def text_of(rng: random.Random, names: list[str]) -> str:
    """An object with some of the names, in any order, one of them with an object below."""
    some = rng.sample(names, rng.randrange(1, 7))
    below = ",".join(f'"{name}":{n}' for n, name in enumerate(rng.sample(names, 3)))
    blank = rng.choice(["", "", "", " "])
    fields = [f'"{name}"{blank}:{n}' for n, name in enumerate(some)]
    return "{" + ",".join([*fields, f'"below":{{{below}}}']) + "}"


def test_names_that_begin_alike_are_told_apart() -> None:
    rng = random.Random(11)
    names = ["n" * length + end for length in LENGTHS for end in ("", "a", "b", "ab")]
    for _ in range(3000):
        text = text_of(rng, names).encode()
        assert codec.decode(text) == oracle.decode(text)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 45])
def test_names_that_differ_in_one_place_are_told_apart(length: int) -> None:
    names = ["n" * place + "x" + "n" * (length - 1 - place) for place in range(length)]
    value = {name: float(place) for place, name in enumerate([*names, "n" * length])}
    assert codec.decode(codec.encode(value)) == value


def test_more_names_than_are_kept() -> None:
    for start in range(0, 6000, 700):
        made = {f"name {n}": float(n) for n in range(start, start + 3000)}
        assert codec.decode(codec.encode(made)) == made


def test_the_end_of_a_text_cuts_an_expected_name() -> None:
    text = b'{"a_rather_long_name":{"short":1}}'
    codec.decode(text)
    for end in range(len(text)):
        with pytest.raises(InvalidValueError):
            codec.decode(text[:end])
    assert codec.decode(text) == {"a_rather_long_name": {"short": 1.0}}


@pytest.mark.parametrize("name", ["$x", "é", "tab\\t", "n" * 1025, '\\u0024integer"x'])
def test_a_name_that_is_none_is_refused_each_time(name: str) -> None:
    text = f'{{"good":1,"{name}":2}}'.encode()
    for _ in range(3):
        with pytest.raises(InvalidValueError):
            codec.decode(text)


def test_keys_are_shared_between_texts() -> None:
    def key(value: Any) -> Any:
        return next(iter(value))

    one, other = codec.decode(b'{"shared":1}'), codec.decode(b'[{"shared":2}]')
    assert key(one) is key(other[0])
