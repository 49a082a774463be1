"""Convex values as bytes whose order is the order of the values."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from convex_async.values import ConvexInt64


class Undefined:
    """The value of a field that a document lacks; it sorts before null."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()

_END = b"\x00"
_FIELD = b"\x01"


def index_key(values: list[Any]) -> bytes:
    """The key of some fields' values; the key of the first few is a prefix of the key of all.

    The order is that of convex-backend crates/value: undefined, null, int64, float64, boolean,
    string, bytes, array, object; floats in IEEE total order; strings by UTF-8 bytes.
    """
    return b"".join(_encode(value) for value in values)


def successor(prefix: bytes) -> bytes | None:
    """The least key after all that begin with `prefix`; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def _encode(value: Any) -> bytes:
    match value:
        case Undefined():
            return b"\x10"
        case None:
            return b"\x20"
        case bool():
            return b"\x51" if value else b"\x50"
        case ConvexInt64():
            return b"\x30" + struct.pack(">Q", int(value) + 2**63)
        case int() | float():
            return b"\x40" + _float(float(value))
        case str():
            return b"\x60" + _bytes(value.encode())
        case bytes():
            return b"\x70" + _bytes(value)
        case Mapping():
            fields = b"".join(
                _FIELD + _bytes(name.encode()) + _encode(value[name])
                for name in sorted(value, key=str.encode)
            )
            return b"\x90" + fields + _END
        case _:
            return b"\x80" + b"".join(_encode(item) for item in value) + _END


def _float(value: float) -> bytes:
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    # Negative numbers in reverse, before the others: IEEE 754 totalOrder.
    return struct.pack(">Q", bits ^ (2**64 - 1 if bits >> 63 else 2**63))


def _bytes(data: bytes) -> bytes:
    return data.replace(b"\x00", b"\x00\xff") + b"\x00\x01"
