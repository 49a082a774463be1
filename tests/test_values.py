"""int64 that is reckoned with stays int64."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convex_async.errors import InvalidValueError
from convex_async.values import INT64_MAX, INT64_MIN, ConvexInt64

OPERATIONS: list[Callable[[Any, Any], Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.floordiv,
    operator.mod,
    operator.and_,
    operator.or_,
    operator.xor,
]
int64s = st.integers(INT64_MIN, INT64_MAX)


@given(one=int64s, other=int64s, operation=st.sampled_from(OPERATIONS))
def test_it_reckons_as_int_does_and_stays_one(
    one: int, other: int, operation: Callable[[Any, Any], Any]
) -> None:
    assume(other != 0 or operation not in (operator.floordiv, operator.mod))
    expected = operation(one, other)
    for pair in (
        (ConvexInt64(one), other),
        (one, ConvexInt64(other)),
        (ConvexInt64(one), ConvexInt64(other)),
    ):
        if not INT64_MIN <= expected <= INT64_MAX:
            with pytest.raises(InvalidValueError, match="out of range"):
                operation(*pair)
        else:
            found = operation(*pair)
            assert found == expected
            assert type(found) is ConvexInt64


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (-ConvexInt64(5), ConvexInt64(-5)),
        (abs(ConvexInt64(-5)), ConvexInt64(5)),
        (~ConvexInt64(0), ConvexInt64(-1)),
        (ConvexInt64(2) ** 3, ConvexInt64(8)),
        (ConvexInt64(1) << 3, ConvexInt64(8)),
        (sum([ConvexInt64(1), ConvexInt64(2)]), ConvexInt64(3)),
        (ConvexInt64(5) + True, ConvexInt64(6)),
    ],
)
def test_other_operations_give_one_too(found: object, expected: object) -> None:
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ConvexInt64(5) + 0.5, 5.5),
        (ConvexInt64(5) / 2, 2.5),
        (ConvexInt64(2) ** -1, 0.5),
        (int(ConvexInt64(5)) + 1, 6),
        (ConvexInt64(5) > 4, True),
    ],
)
def test_with_floats_and_on_purpose_it_is_left(found: object, expected: object) -> None:
    assert repr(found) == repr(expected)


def test_the_largest_does_not_wrap_round() -> None:
    with pytest.raises(InvalidValueError, match="out of range"):
        ConvexInt64(INT64_MAX) + 1
