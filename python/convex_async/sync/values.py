"""The names of PyPI `convex.values`: values as JSON-able objects, checked and coerced."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from convex_async.codec import values as codec
from convex_async.codec.values import decode, encode, encode_arguments
from convex_async.errors import CodecError, InvalidValueError, UnsupportedTypeError
from convex_async.values import INT64_MAX, INT64_MIN, ConvexInt64, ConvexValue

__all__ = [
    "ConvexInt64",
    "ConvexValue",
    "JsonValue",
    "convex_to_json",
    "json_to_convex",
    "strict_convex_to_json",
]

JsonValue: TypeAlias = "bool | str | float | int | list[JsonValue] | dict[str, JsonValue] | None"
"""What JSON can say."""

CoercibleToConvexValue: TypeAlias = (
    "ConvexValue | int | Mapping[str, CoercibleToConvexValue] | Sequence[CoercibleToConvexValue]"
)
"""What a Convex value can be made from."""

FunctionArgs: TypeAlias = "Mapping[str, CoercibleToConvexValue] | None"
"""The arguments of a function."""

MAX_IDENTIFIER_LEN = 1024
MIN_INT64, MAX_INT64 = INT64_MIN, INT64_MAX
MIN_SAFE_INTEGER, MAX_SAFE_INTEGER = -(2**53), 2**53

_STRICT = (type(None), bool, float, str, bytes, ConvexInt64)


def without_foreign_integers(value: Any) -> Any:
    """A copy in which PyPI `convex`'s own `ConvexInt64` objects are this package's."""
    if isinstance(value, Mapping):
        return {name: without_foreign_integers(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_foreign_integers(item) for item in value]
    if type(value).__name__ == "ConvexInt64" and not isinstance(value, ConvexInt64):
        return ConvexInt64(value.value)
    return value


def convex_to_json(v: CoercibleToConvexValue) -> Any:
    """The JSON-able form of what a Convex value can be made from.

    Raises:
        UnsupportedTypeError, InvalidValueError: it has no Convex form.
    """
    return codec.convex_to_json(without_foreign_integers(v))


def json_to_convex(v: JsonValue) -> Any:
    """The Convex value of a JSON-able form.

    Raises:
        InvalidValueError: it is none.
    """
    return codec.json_to_convex(v)


def coerce_to_convex(v: CoercibleToConvexValue) -> ConvexValue:
    """The value as the deployment will have it: a copy, tuples as lists, ints as floats.

    Raises:
        UnsupportedTypeError, InvalidValueError: it has no Convex form.
    """
    made: ConvexValue = decode(encode(without_foreign_integers(v)))
    return made


def coerce_args_to_convex(
    v: Mapping[str, CoercibleToConvexValue] | None = None,
) -> dict[str, ConvexValue]:
    """The arguments of a function as the deployment will have them; None is no arguments."""
    made: dict[str, ConvexValue] = decode(encode_arguments(without_foreign_integers(v)))
    return made


def strict_convex_to_json(v: ConvexValue) -> JsonValue:
    """The JSON-able form of a value that comes back as it went.

    Raises:
        UnsupportedTypeError: a part is of a type that would come back as another.
    """
    _check_strict(v)
    made: JsonValue = convex_to_json(v)
    return made


def _check_strict(value: Any) -> None:
    if type(value) is list:
        for item in value:
            _check_strict(item)
    elif type(value) is dict:
        for item in value.values():
            _check_strict(item)
    elif type(value) not in _STRICT and type(value) is not int:
        raise UnsupportedTypeError(f"{type(value).__name__} does not come back as it went")


def is_coercible_to_convex_value(v: Any) -> TypeGuard[CoercibleToConvexValue]:
    """Whether a Convex value can be made from it."""
    try:
        encode(without_foreign_integers(v))
    except CodecError:
        return False
    return True


def is_convex_value(v: Any) -> TypeGuard[ConvexValue]:
    """Whether it comes back from a deployment as it went."""
    try:
        strict_convex_to_json(v)
    except CodecError:
        return False
    return True


def int_to_float(v: int) -> float:
    """An int as the float that it travels as.

    Raises:
        InvalidValueError: a float can't hold it exactly.
    """
    if not MIN_SAFE_INTEGER <= v <= MAX_SAFE_INTEGER:
        raise InvalidValueError(f"{v} is outside of ±2**53: use ConvexInt64")
    return float(v)


def is_special_float(v: float) -> bool:
    """Whether JSON has no word for it: NaN, the infinities, and minus zero."""
    return not math.isfinite(v) or (v == 0 and math.copysign(1, v) == -1)


def float_to_json(v: float) -> JsonValue:
    """The JSON-able form of a float."""
    made: JsonValue = convex_to_json(float(v))
    return made


def buffer_to_json(v: Any) -> JsonValue:
    """The JSON-able form of bytes."""
    made: JsonValue = convex_to_json(bytes(v))
    return made


def mapping_to_object_json(v: Mapping[Any, Any], coerce: bool) -> JsonValue:
    """The JSON-able form of an object."""
    made: JsonValue = convex_to_json(dict(v)) if coerce else strict_convex_to_json(dict(v))
    return made


def mapping_to_convex(v: Mapping[Any, Any], coerce: bool) -> dict[str, ConvexValue]:
    """An object as the deployment will have it."""
    if not coerce:
        strict_convex_to_json(dict(v))
    return coerce_args_to_convex(v)


def iterable_to_array_json(v: Iterable[Any], coerce: bool) -> JsonValue:
    """The JSON-able form of an array."""
    made: JsonValue = convex_to_json(list(v)) if coerce else strict_convex_to_json(list(v))
    return made


def iterable_to_convex(v: Iterable[Any], coerce: bool) -> ConvexValue:
    """An array as the deployment will have it."""
    items = list(v)
    if not coerce:
        strict_convex_to_json(items)
    return coerce_to_convex(items)
