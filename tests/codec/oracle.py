"""The codec once more in plain Python, written for reading, to hold the Rust one against.

It shares no code with the package but `ConvexInt64`; anything wrong is a `Refused`.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any, NoReturn

from convex_async.values import ConvexInt64

MAX_DEPTH = 64


class Refused(ValueError):
    """Not a Convex value."""


# Wire bytes to Python


def decode(data: bytes) -> Any:
    """The value of wire bytes; Refused if they are none."""
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
        # The decoder of json keeps unpaired surrogates, which have no UTF-8.
        _strings(value)
    except (RecursionError, UnicodeError, json.JSONDecodeError) as error:
        raise Refused(str(error)) from error
    _check_depth(text)
    return value


def _check_depth(text: str) -> None:
    """Count brackets: one that opens a tagged value may stand a level lower than all others."""
    level = 0
    for token in _BRACKETS.finditer(text):
        if token[0] in "[{":
            level += 1
            if level > MAX_DEPTH + (token["tag"] is not None):
                raise Refused("too deep")
        elif token[0] in "]}":
            level -= 1


_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|\{(?=\s*(?P<tag>"(?:\$|\\u0024)))|[\[\]{}]')


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Refused(f"{digits} overflows")
    return number


def _constant(word: str) -> NoReturn:
    raise Refused(f"{word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> Any:
    for _, value in pairs:
        # Also what a later pair of the same name takes the place of.
        _strings(value)
    fields = dict(pairs)
    if len(fields) == 1:
        [(name, payload)] = fields.items()
        if name in ("$integer", "$float", "$bytes"):
            return _tagged(name, payload)
    for name in fields:
        _check_name(name)
    return fields


def _tagged(tag: str, payload: Any) -> Any:
    if not isinstance(payload, str):
        raise Refused("a payload that is no string")
    try:
        raw = base64.b64decode(payload.encode("ascii"), validate=True)
    except ValueError as error:
        raise Refused("base64") from error
    if base64.b64encode(raw).decode() != payload:
        raise Refused("base64 that is not canonical")
    if tag == "$bytes":
        return raw
    if len(raw) != 8:
        raise Refused("not 8 bytes")
    if tag == "$integer":
        return ConvexInt64(int.from_bytes(raw, "little", signed=True))
    number: float = struct.unpack("<d", raw)[0]
    if not _is_special(number):
        raise Refused("a float that needs no wrapper")
    return number


def _check_name(name: str) -> None:
    if not re.fullmatch(r"(?!\$)[\x20-\x7e]{0,1024}", name):
        raise Refused(f"the field name {name!r}")


def _is_special(number: float) -> bool:
    return not math.isfinite(number) or (number == 0 and math.copysign(1, number) < 0)


def _strings(value: Any) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, list):
        for item in value:
            _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            _strings(item)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


# Python to wire bytes, for the types that decoding makes


def encode(value: Any) -> bytes:
    """The canonical wire bytes of a value; Refused if it is none."""
    if _depth(value) > MAX_DEPTH:
        raise Refused("too deep")
    try:
        return _spell(value).encode("utf-8")
    except UnicodeError as error:
        raise Refused("a surrogate") from error


def _spell(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case ConvexInt64():
            return _wrap("$integer", int(value).to_bytes(8, "little", signed=True))
        case int() if abs(value) <= 2**53:
            return str(value)
        case float() if _is_special(value):
            return _wrap("$float", struct.pack("<d", value))
        case float():
            return ecmascript(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bytes():
            return _wrap("$bytes", value)
        case list():
            return "[" + ",".join(map(_spell, value)) + "]"
        case dict():
            for name in value:
                _check_name(name)
            return "{" + ",".join(f"{_spell(n)}:{_spell(value[n])}" for n in sorted(value)) + "}"
        case _:
            raise Refused(f"{value!r}")


def _wrap(tag: str, raw: bytes) -> str:
    return f'{{"{tag}":"{base64.b64encode(raw).decode()}"}}'


def ecmascript(number: float) -> str:
    """The spelling of Number::toString (ECMA-262, 6.1.6.1.20), from the digits of `repr`."""
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    if not digits:
        return "0"
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    point = len(whole) - leading + int(exponent or 0)  # the digits stand behind 0. times 10**point
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{tail}e{point - 1:+d}"
    return sign + text


# Wire bytes to plain JSON


def plain(data: bytes) -> Any:
    """What `to_plain_json` has to mean, as Python's json reads it."""
    return _plain(decode(data))


def _plain(value: Any) -> Any:
    forms: dict[type, Callable[[Any], Any]] = {
        ConvexInt64: lambda number: str(int(number)),
        bytes: lambda raw: base64.b64encode(raw).decode(),
        list: lambda items: [_plain(item) for item in items],
        dict: lambda fields: {name: _plain(item) for name, item in fields.items()},
        float: _plain_float,
    }
    form = forms.get(type(value))
    return form(value) if form else value


def _plain_float(number: float) -> float | str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


# Telling values apart


def identity(value: Any) -> Any:
    """Equal for two decoded values exactly if they are one Convex value; also tells types."""
    match value:
        case float():
            return ("float64", struct.pack("<d", value))
        case list():
            return ("array", tuple(map(identity, value)))
        case dict():
            return ("object", tuple((name, identity(value[name])) for name in sorted(value)))
        case _:
            return (type(value), value)
