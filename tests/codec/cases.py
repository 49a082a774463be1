"""The recorded vectors, and the Python that their expressions name (see vectors/README.md)."""

from __future__ import annotations

import array
import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import json
import struct
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from convex_async.values import ConvexInt64

VECTORS = Path(__file__).parents[1] / "vectors"


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    loaded: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())
    return loaded


def wire(case: dict[str, Any]) -> bytes:
    """The wire text of a case, which long ones tell how to generate."""
    if "wire" in case:
        text: str = case["wire"]
    elif (made := case["wire_gen"])["kind"] == "nest":
        text = made["open"] * made["n"] + made["mid"] + made["close"] * made["n"]
    else:
        items = (
            made["item"] % i if "%" in made["item"] else made["item"] for i in range(made["n"])
        )
        text = made["open"] + made["sep"].join(items) + made["close"]
    return text.encode("utf-8", "surrogatepass")


def untag(tagged: dict[str, Any]) -> Any:
    """The Python value of a tagged one, as decoding has to make it."""
    match tagged:
        case {"t": "null"}:
            return None
        case {"t": "bool" | "string", "v": value}:
            return value
        case {"t": "int64", "v": digits}:
            return ConvexInt64(int(digits))
        case {"t": "float64", "bits": bits}:
            return float_from_bits(bits)
        case {"t": "bytes", "hex": digits}:
            return bytes.fromhex(digits)
        case {"t": "array", "v": items}:
            return [untag(item) for item in items]
        case {"t": "object", "v": fields}:
            return {name: untag(value) for name, value in fields}
        case {"t": "nest", "kind": kind, "depth": depth, "leaf": leaf}:
            value = untag(leaf)
            for _ in range(depth):
                value = [value] if kind == "array" else {"a": value}
            return value
        case {"t": "repeat", "n": n, "item": item}:
            return [untag(item) for _ in range(n)]
        case {"t": "fields", "key": key, "n": n, "item": item}:
            return {key % i: untag(item) for i in range(n)}
    raise AssertionError(tagged)


def float_from_bits(bits: str) -> float:
    number: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return number


def nest_list(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


def nest_dict(depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = {"a": value}
    return value


def circular_list() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def circular_dict() -> dict[str, Any]:
    fields: dict[str, Any] = {}
    fields["self"] = fields
    return fields


def int64_unchecked(value: int) -> ConvexInt64:
    number: Any = ConvexInt64(0)
    number.value = value
    return ConvexInt64(number)


class StrSub(str):
    __slots__ = ()


class FloatSub(float):
    pass


class BytesSub(bytes):
    pass


class ListSub(list[Any]):
    pass


class DictSub(dict[str, Any]):
    pass


class Int64Sub(ConvexInt64):
    pass


class Color(enum.Enum):
    RED = "red"


class StrColor(str, enum.Enum):  # noqa: UP042 - the mixed-in kind is what is tested
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


Point = collections.namedtuple("Point", ["x", "y"])


@dataclasses.dataclass
class User:
    name: str


class Seq(collections.abc.Sequence[Any]):
    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]


class Map(collections.abc.Mapping[str, Any]):
    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __len__(self) -> int:
        return len(self._fields)

    def __iter__(self) -> Any:
        return iter(self._fields)

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]


class HasIndex:
    def __index__(self) -> int:
        return 1


class HasFloat:
    def __float__(self) -> float:
        return 1.0


NAMES: dict[str, Any] = {
    thing.__name__: thing
    for thing in (
        *(ConvexInt64, float_from_bits, nest_list, nest_dict, circular_list, circular_dict),
        *(int64_unchecked, StrSub, FloatSub, BytesSub, ListSub, DictSub, Int64Sub, Color),
        *(StrColor, Level, Point, User, Seq, Map, HasIndex, HasFloat, array.array, datetime),
        *(collections.OrderedDict, collections.defaultdict, collections.Counter),
        *(collections.ChainMap, collections.deque, collections.UserList, collections.UserDict),
        *(collections.UserString, decimal.Decimal, fractions.Fraction, uuid.UUID, io.BytesIO),
    )
} | {"MappingProxyType": types.MappingProxyType, "np": np, "inf": float("inf"), "nan": float("nan")}


def evaluate(expression: str) -> Any:
    """The value of an expression of the vectors, which are this repository's own data."""
    return eval(expression, dict(NAMES))
