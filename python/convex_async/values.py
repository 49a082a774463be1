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
| object  | `dict`, other mappings, structures   | `dict`         |

Structures are dataclasses, msgspec Structs and pydantic models.
"""

from __future__ import annotations

import operator
import struct
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSet
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, SupportsIndex, TypeAlias

from msgspec import Struct

from convex_async.errors import InvalidValueError

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class ConvexInt64(int):
    """A Convex int64: an `int` that travels as 64 bits instead of as a float64.

    What is reckoned with it stays one, so that a field that is read, changed and written back
    keeps its type: `ConvexInt64(5) + 1` is `ConvexInt64(6)`. With a float the result is a float,
    as `/` always gives; `int(n)` leaves int64 on purpose. A result out of range raises, as the
    deployment would: nothing wraps round.

    Args:
        value: an integer from -2**63 to 2**63 - 1.

    Raises:
        InvalidValueError: the integer is out of range.
        TypeError: the value is not an integer.
    """

    __slots__ = ()

    def __new__(cls, value: SupportsIndex = 0) -> Self:
        self = int.__new__(cls, operator.index(value))
        if not INT64_MIN <= self <= INT64_MAX:
            raise InvalidValueError(
                f"{int(self)} is out of range for ConvexInt64, which holds -2**63 to 2**63 - 1"
            )
        return self

    @property
    def value(self) -> int:
        """The plain integer, under the name that PyPI `convex` has for it."""
        return int(self)

    def to_json(self) -> dict[str, str]:
        """The JSON-able form, under the name that PyPI `convex` has for it."""
        return {"$integer": b64encode(struct.pack("<q", self)).decode()}

    def __repr__(self) -> str:
        return f"ConvexInt64({int(self)})"

    __str__ = int.__repr__

    if TYPE_CHECKING:  # made below, all alike

        def __add__(self, other: int, /) -> ConvexInt64: ...
        def __radd__(self, other: int, /) -> ConvexInt64: ...
        def __sub__(self, other: int, /) -> ConvexInt64: ...
        def __rsub__(self, other: int, /) -> ConvexInt64: ...
        def __mul__(self, other: int, /) -> ConvexInt64: ...
        def __rmul__(self, other: int, /) -> ConvexInt64: ...
        def __floordiv__(self, other: int, /) -> ConvexInt64: ...
        def __rfloordiv__(self, other: int, /) -> ConvexInt64: ...
        def __mod__(self, other: int, /) -> ConvexInt64: ...
        def __rmod__(self, other: int, /) -> ConvexInt64: ...
        def __neg__(self) -> ConvexInt64: ...
        def __pos__(self) -> ConvexInt64: ...
        def __abs__(self) -> ConvexInt64: ...


def _reckon(name: str) -> None:
    """Let an operation of `int` give a `ConvexInt64`."""
    plain = getattr(int, name)

    def operation(self: ConvexInt64, *others: Any) -> Any:
        result = plain(self, *others)
        return ConvexInt64(result) if type(result) is int else result

    operation.__name__ = name
    operation.__qualname__ = f"ConvexInt64.{name}"
    setattr(ConvexInt64, name, operation)


for _name in (
    "add",
    "sub",
    "mul",
    "floordiv",
    "mod",
    "pow",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
):
    _reckon(f"__{_name}__")
    _reckon(f"__r{_name}__")
for _name in ("neg", "pos", "abs", "invert"):
    _reckon(f"__{_name}__")


Member: TypeAlias = "tuple[str, object]"


def _frozen(value: Any) -> Member:
    """A hashable stand-in: two of them are equal if the Convex values are."""
    match value:
        case None | bool() | str() | ConvexInt64():
            return type(value).__name__, value
        case int() | float():
            return "float64", struct.pack("<d", value)
        case bytes() | bytearray() | memoryview():
            return "bytes", bytes(value)
        case Mapping() if not isinstance(value, ConvexMap):
            return "object", frozenset((name, _frozen(item)) for name, item in value.items())
        case ConvexMap():
            return "array", tuple(_frozen(list(pair)) for pair in value.items())
        case Iterable():
            return "array", tuple(_frozen(item) for item in value)
        case _:
            return type(value).__name__, value


class ConvexSet(MutableSet[Any]):
    """A set of Convex values in the order of insertion; lists and dicts may be members.

    Convex has retired its own Set: this travels as an array of the members, from which
    `ConvexSet(items)` makes it again. Members are told apart as Convex values: 1.0 and
    `ConvexInt64(1)` are two. A member must not be changed while it is in the set.
    """

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._members = {_frozen(item): item for item in items}

    def __contains__(self, item: object) -> bool:
        return _frozen(item) in self._members

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"ConvexSet({list(self)!r})"

    def add(self, value: Any) -> None:
        """Add a member; nothing happens if an equal one is there."""
        self._members.setdefault(_frozen(value), value)

    def discard(self, value: Any) -> None:
        """Remove a member if it is there."""
        self._members.pop(_frozen(value), None)


class ConvexMap(MutableMapping[Any, Any]):
    """A mapping whose keys are any Convex values, in the order of insertion.

    Convex has retired its own Map: this travels as an array of `[key, value]` pairs, from which
    `ConvexMap(pairs)` makes it again. Keys are told apart as Convex values.
    """

    def __init__(self, pairs: Iterable[Iterable[Any]] | Mapping[Any, Any] = ()) -> None:
        self._pairs: dict[Member, tuple[Any, Any]] = {}
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self[key] = value

    def __getitem__(self, key: Any) -> Any:
        try:
            return self._pairs[_frozen(key)][1]
        except KeyError:
            raise KeyError(key) from None

    def __setitem__(self, key: Any, value: Any) -> None:
        self._pairs[_frozen(key)] = (key, value)

    def __delitem__(self, key: Any) -> None:
        if self._pairs.pop(_frozen(key), None) is None:
            raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"ConvexMap({[list(pair) for pair in self._pairs.values()]!r})"


ConvexValue: TypeAlias = (
    "bool | float | str | bytes | ConvexInt64 | list[ConvexValue] | dict[str, ConvexValue] | None"
)
"""Any Convex value, as decoding makes it."""


class Dataclass(Protocol):
    """Any instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class PydanticModel(Protocol):
    """Any pydantic model."""

    __pydantic_fields__: ClassVar[dict[str, Any]]


Arguments: TypeAlias = Mapping[str, Any] | Dataclass | Struct | PydanticModel
"""The arguments of a call: a mapping of names to values, or a structure whose fields they are."""
