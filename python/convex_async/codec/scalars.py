"""Converters of single values, and what a union knows of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from convex_async.codec.classes import Fields
from convex_async.values import ConvexInt64

Convert: TypeAlias = Callable[[Any], Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mismatch(Exception):
    """A value does not fit; `steps` lead to it, the innermost first."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.steps: list[str] = []

    def at(self, step: str) -> Mismatch:
        """The same, one level further out."""
        self.steps.append(step)
        return self


class Member(Struct, frozen=True):
    """What a type makes, and of what.

    Attributes:
        exact: the kinds of values that are of the type as they come (see `kind_of`).
        loose: the kinds that are taken where no other member of a union takes them.
        fields: of a class that is made of an object.
    """

    convert: Convert
    exact: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    fields: Fields | None = None


def kind_of(value: Any) -> str:
    """What a decoded value is in Convex's own words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case float():
            return "float64"
        case int():
            return "int64"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case list():
            return "array"
        case _:
            return "object"


ALL = frozenset({"null", "boolean", "float64", "int64", "string", "bytes", "array", "object"})
NUMBERS = frozenset({"float64", "int64"})


def expected(what: str, value: Any) -> Mismatch:
    return Mismatch(f"Expected `{what}`, got `{kind_of(value)}`")


def array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise expected("array", value)
    return value


def fields_in(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise expected("object", value)
    return value


def none(value: Any) -> None:
    if value is not None:
        raise expected("null", value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise expected("bool", value)
    return value


def integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expected("int", value)
    if isinstance(value, float) and not value.is_integer():
        raise Mismatch(f"Expected `int`, got {value!r}")
    return int(value)


def int64(value: Any) -> ConvexInt64:
    return value if isinstance(value, ConvexInt64) else ConvexInt64(integer(value))


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise expected("float", value)
    return float(value)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise expected("str", value)
    return value


def raw(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise expected("bytes", value)
    return value


def moment(value: Any) -> datetime:
    if isinstance(value, str):
        parsed: datetime = by_msgspec(datetime)(value)
        return parsed
    try:
        return _EPOCH + timedelta(milliseconds=number(value))
    except (OverflowError, ValueError):
        raise Mismatch(f"Expected milliseconds since the epoch, got {value!r}") from None


def by_msgspec(type: Any) -> Convert:
    def convert(value: Any) -> Any:
        try:
            return msgspec.convert(value, type, dec_hook=_no_hook)
        except msgspec.ValidationError as error:
            raise Mismatch(str(error)) from error

    return convert


def _no_hook(type: Any, value: Any) -> Any:
    if isinstance(value, type):
        return value
    raise TypeError(f"Expected `{type.__name__}`")


def literal(values: tuple[Any, ...]) -> Member:
    def convert(value: Any) -> Any:
        for one in values:
            if one is None or isinstance(one, bool):
                if value is one:
                    return one
            elif not isinstance(value, bool) and one == value:
                return one
        raise Mismatch(f"Invalid enum value {value!r}")

    kinds = {kind_of(value) for value in values}
    if "int64" in kinds:
        kinds.add("float64")  # `Literal[1]` is of a plain number
    return Member(convert, frozenset(kinds))


SCALARS: dict[Any, Member] = {
    bool: Member(boolean, frozenset({"boolean"})),
    float: Member(number, frozenset({"float64"}), frozenset({"int64"})),
    str: Member(text, frozenset({"string"})),
    bytes: Member(raw, frozenset({"bytes"})),
    bytearray: Member(lambda value: bytearray(raw(value)), frozenset({"bytes"})),
    **{
        type: Member(by_msgspec(type), loose=frozenset({"string"}))
        for type in (UUID, Decimal, date, time)
    },
}
