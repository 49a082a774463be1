"""The ways through the interpreter's insides make and read what the public ways do.

`rust/codec/src/layout.rs` says which there are, and looks at the start whether they hold.
"""

from __future__ import annotations

import platform
import random
import sys
import sysconfig
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async import _codec
from convex_async.codec import decode, encode
from convex_async.errors import CodecError, InvalidValueError
from convex_async.values import INT64_MAX, INT64_MIN, ConvexInt64
from tests.codec.random_values import document

PROVED = tuple(_codec.fast_ways())
CHOICES = [(), *((way,) for way in PROVED), PROVED]


@pytest.fixture(params=CHOICES, ids=lambda ways: "+".join(ways) or "public")
def ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each way alone, none, and all."""
    assert set(_codec.fast_ways(request.param)) == set(request.param)
    yield
    _codec.fast_ways(PROVED)


def test_the_interpreters_that_are_tested_are_as_told() -> None:
    """On one of these, a way that does not hold is a fault; on others there is none to take."""
    is_tested = (
        platform.python_implementation() == "CPython"
        and (3, 11) <= sys.version_info[:2] <= (3, 15)
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
    )
    assert set(PROVED) == ({"ints", "strings", "dicts"} if is_tested else set())


def test_a_way_that_was_not_proved_is_not_taken() -> None:
    with pytest.raises(ValueError, match="sideways"):
        _codec.fast_ways(["sideways"])
    assert _codec.fast_ways() == list(PROVED)


EDGES = [
    sign * (1 << bits) + off
    for bits in (0, 29, 30, 59, 60, 62)
    for sign in (1, -1)
    for off in (-1, 0, 1)
]


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("number", [*EDGES, INT64_MIN, INT64_MAX])
def test_an_int64_is_an_int_in_all_it_does(number: int) -> None:
    text = encode(ConvexInt64(number))
    made = decode(text)
    assert type(made) is ConvexInt64
    assert (made, hash(made), repr(made)) == (number, hash(number), f"ConvexInt64({number})")
    for reckon in (int.__neg__, int.__abs__, int.bit_length, int.__float__):
        assert reckon(made) == reckon(number)
    for reckon_with in (int.__add__, int.__floordiv__, int.__and__, int.__mul__):
        assert reckon_with(made, 7) == reckon_with(number, 7)
    assert made.__sizeof__() == ConvexInt64(number).__sizeof__()
    assert encode(made) == text


class Text(str):
    __slots__ = ()


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("letter", ["x", "\x7f", "\x80", "é", "ÿ", "Ā", "語", "\uffff", "😀"])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 15, 16, 17, 64, 300])
def test_a_string_is_read_and_made_whole(letter: str, count: int) -> None:
    text = "a" * (count // 2) + letter * count
    wire = b'"' + text.encode() + b'"'
    assert encode(text) == encode(Text(text)) == wire
    assert decode(wire) == text
    assert encode({"a": text}) == b'{"a":' + wire + b"}"


@pytest.mark.usefixtures("ways")
def test_a_surrogate_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="surrogate"):
        encode("a\ud800")


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 30, 300])
def test_a_dict_can_grow_and_shrink(count: int) -> None:
    wire = encode([{f"f{i}": i for i in range(count)}] * 2)
    for made in decode(wire):
        assert made == {f"f{i}": float(i) for i in range(count)}
        made |= {f"g{i}": i for i in range(count)}
        for i in range(count):
            del made[f"f{i}"]
        assert made == {f"g{i}": i for i in range(count)}


def outcome(value: object) -> tuple[str, str]:
    """What encoding gives, and decoding that; the error of a value that is none."""
    try:
        wire = encode(value)
        return wire.decode(), repr(decode(wire))
    except CodecError as error:
        return type(error).__name__, str(error)


@given(seed=st.integers(0, 2**32))
def test_all_ways_agree(seed: int) -> None:
    value = document(random.Random(seed))
    try:
        outcomes = set()
        for chosen in CHOICES:
            _codec.fast_ways(chosen)
            outcomes.add(outcome(value))
        assert len(outcomes) == 1
    finally:
        _codec.fast_ways(PROVED)
