"""The Convex values and the Python types that carry them.

| Convex  | Python in                            | Python out     |
|---------|--------------------------------------|----------------|
| null    | `None`                               | `None`         |
| boolean | `bool`                               | `bool`         |
| float64 | `float`, `int` within ±2**53         | `float`        |
| int64   | `ConvexInt64`                        | `ConvexInt64`  |
| string  | `str` without surrogates             | `str`          |
| bytes   | `bytes` and one-dimensional buffers  | `bytes`        |
| array   | `list`, `tuple`, other sequences     | `list`         |
| object  | `dict`, other mappings               | `dict`         |
"""

from __future__ import annotations

from typing import Self, SupportsIndex, TypeAlias

from convex_async.errors import InvalidValueError

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class ConvexInt64(int):
    """A Convex int64: an `int` that travels as 64 bits instead of as a float64.

    Args:
        value: an integer from -2**63 to 2**63 - 1.

    Raises:
        InvalidValueError: the integer is out of range.
        TypeError: the value is not an integer.
    """

    __slots__ = ()

    def __new__(cls, value: SupportsIndex = 0) -> Self:
        self = int.__new__(cls, value.__index__())
        if not INT64_MIN <= self <= INT64_MAX:
            raise InvalidValueError(
                f"{int(self)} is out of range for ConvexInt64, which holds -2**63 to 2**63 - 1"
            )
        return self

    def __repr__(self) -> str:
        return f"ConvexInt64({int(self)})"

    __str__ = int.__repr__


ConvexValue: TypeAlias = (
    "None | bool | float | int | ConvexInt64 | str | bytes | list[ConvexValue] | dict[str, ConvexValue]"
)
"""Any Convex value, as decoding makes it."""
