"""Values in texts, as Convex's server writes them.

Source: convex-backend crates/value/src/lib.rs and object.rs, `impl Display`.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from convex_async.values import ConvexInt64


def shown(value: Any) -> str:
    """A value, such as `{name: "Ada", sizes: [1.0, 2.0]}`; the names of an object in order."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case ConvexInt64():
            return str(int(value))
        case int() | float():
            return _float(float(value))
        case str():
            return quoted(value)
        case bytes():
            return f'b"{b64encode(value).decode()}"'
        case Mapping():
            fields = sorted(value.items(), key=lambda item: item[0].encode())
            return "{" + ", ".join(f"{name}: {shown(part)}" for name, part in fields) + "}"
        case _:
            return "[" + ", ".join(map(shown, value)) + "]"


def quoted(text: str) -> str:
    """A text in quotes, as Rust's `{:?}` writes it."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
    return (
        '"'
        + "".join(escapes.get(c, c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text)
        + '"'
    )


def literal(value: Any) -> str:
    """The value of a literal validator: JSON, where JSON has it."""
    match value:
        case ConvexInt64():
            return "<bigint>"
        case float() if not math.isfinite(value):
            return "<number>"
        case float():
            return _float(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def as_json(data: Any) -> str:
    """The data of an error as JavaScript writes it: JSON, and an int64 as `5n`.

    Source: convex-js src/values/value.ts, stringifyValueForError.
    """
    return json.dumps(_plain(data), ensure_ascii=False, separators=(",", ":"), default=repr)


def _plain(value: Any) -> Any:
    match value:
        case ConvexInt64():
            return f"{int(value)}n"
        case float() if not math.isfinite(value):
            return None
        case float() if value.is_integer() and abs(value) < 1e21:
            return int(value)
        case bytes():
            return {}
        case Mapping():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _:
            return value


def _float(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    mantissa, exponent, power = repr(number).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa}e{int(power)}"
