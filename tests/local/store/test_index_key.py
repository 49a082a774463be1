"""The keys of an index sort as the values do, in the order that was recorded from Convex."""

from __future__ import annotations

import json
import struct
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async import ConvexInt64
from convex_async.local.store.index_key import UNDEFINED, index_key, successor

RECORDED = json.loads((Path(__file__).parents[2] / "vectors" / "order.json").read_text())


def value_of(spec: Any) -> Any:
    """A value as the vectors write it."""
    match spec:
        case {"t": "null"}:
            return None
        case {"t": "int64", "v": text}:
            return ConvexInt64(int(text))
        case {"t": "float64", "bits": bits}:
            return struct.unpack(">d", bytes.fromhex(bits))[0]
        case {"t": "bool", "v": flag}:
            return flag
        case {"t": "string", "v": text}:
            return text
        case {"t": "bytes", "hex": digits}:
            return bytes.fromhex(digits)
        case {"t": "array", "v": items}:
            return [value_of(item) for item in items]
        case {"t": "object", "v": fields}:
            return {name: value_of(item) for name, item in fields}
        case _:
            raise AssertionError(spec)


ASCENDING = [UNDEFINED, *map(value_of, RECORDED["ascending"])]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.integers(-(2**63), 2**63 - 1).map(ConvexInt64),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "bb", "c"]), inner, max_size=3)
    ),
)


def test_the_recorded_order() -> None:
    """Each kind among the others, and the edges of each kind."""
    keys = [index_key([value]) for value in ASCENDING]
    assert len(keys) > 40
    for (one, low), (two, high) in pairwise(zip(ASCENDING, keys, strict=True)):
        assert low < high, f"{one!r} before {two!r}"


@pytest.mark.parametrize("place", range(3))
def test_fields_count_in_their_order(place: int) -> None:
    """What comes before decides, whatever comes after."""
    for low, high in combinations(ASCENDING[::5], 2):
        one, two = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        one[place], two[place] = low, high
        for after in range(place + 1, 3):
            one[after] = ASCENDING[-1]
        assert index_key(one) < index_key(two)


@given(values, values, st.lists(values, max_size=2), st.lists(values, max_size=2))
def test_what_follows_a_field_cannot_change_its_place(
    one: Any, two: Any, after_one: list[Any], after_two: list[Any]
) -> None:
    """No value's key is the beginning of another's, or a range would take in its neighbours."""
    first, second = index_key([one]), index_key([two])
    if first == second:
        return
    assert (first < second) == (index_key([one, *after_one]) < index_key([two, *after_two]))


@given(st.lists(values, max_size=2), st.lists(values, max_size=2), values)
def test_a_prefix_ends_at_its_successor(prefix: list[Any], more: list[Any], other: Any) -> None:
    low = index_key(prefix)
    high = successor(low)
    assert low <= index_key([*prefix, *more])
    assert high is None or index_key([*prefix, *more]) < high
    if prefix:
        assert high is not None
        key = index_key([*prefix[:-1], other])
        assert (low <= key < high) == (key == low)


def test_nothing_follows_what_is_greatest() -> None:
    assert successor(b"") is None
    assert successor(b"\xff\xff") is None
    assert successor(b"a\xff") == b"b"
