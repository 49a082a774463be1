"""Values <-> wire bytes; what the Rust extension makes is handed to it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from convex_async import _codec
from convex_async.codec.typed import decode_as
from convex_async.errors import InvalidValueError, UnsupportedTypeError
from convex_async.values import Arguments, ConvexInt64, ConvexMap, ConvexSet

# What the extension makes: it imports nothing of the package itself.
_codec.register(
    unsupported_type=UnsupportedTypeError,
    invalid_value=InvalidValueError,
    int64=ConvexInt64,
    set=ConvexSet,
    map=ConvexMap,
    decode_as=decode_as,
)

# Containers within containers. The positional wrapper of the arguments is one of them
# (convex-backend crates/value: MAX_NESTING).
MAX_DEPTH = 64


# Values


# The extension's own functions, documented there: a call of a Python function around one takes
# half as long as decoding a small document.
encode = _codec.encode
decode = _codec.decode
measure = _codec.measure


def encode_arguments(
    args: Arguments | None,
    *,
    enc_hook: Callable[[Any], Any] | None = None,
    omit_none: bool = False,
) -> bytes:
    """The canonical wire bytes of a call's arguments; None is no arguments.

    Args:
        args: a mapping of names to values, or a dataclass, msgspec Struct or pydantic model.
        enc_hook, omit_none: as for `encode`.

    Raises:
        UnsupportedTypeError: the arguments are neither, or a part has no Convex form.
        InvalidValueError: as `encode`; the path begins with `args`.
    """
    if args is None:
        return b"{}"
    if type(args) is not dict and not isinstance(args, Mapping) and not _is_structure(args):
        raise UnsupportedTypeError(
            f"args: the arguments are a mapping of names to values, not {type(args).__name__}",
            path="args",
        )
    return encode(
        args, root="args", max_depth=MAX_DEPTH - 1, enc_hook=enc_hook, omit_none=omit_none
    )


def _is_structure(value: object) -> bool:
    kinds = ("__dataclass_fields__", "__struct_fields__", "__pydantic_validator__")
    return any(hasattr(type(value), kind) for kind in kinds)


def omit_none(value: Any) -> Any:
    """A copy without the fields of dicts that are None, at any depth; items of lists stay.

    For one value; `ConvexClient(url, omit_none=True)` does so for the arguments of all calls.
    """
    if isinstance(value, Mapping):
        return {name: omit_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [omit_none(item) for item in value]
    return value


def to_plain_json(data: bytes) -> bytes:
    """Wire bytes as plain JSON: int64 as a decimal string, bytes as a base64 string, NaN and the
    infinities as strings of those names, as Convex's own `json` format has them.

    All else stays as it is written, unread: the text has to be JSON, as a deployment's values
    are. A text without any of these values is given back itself.

    Raises:
        InvalidValueError: a tagged value is malformed, or a field name begins with `$`.
    """
    return _codec.to_plain_json(data)


def convex_to_json(value: object) -> Any:
    """The JSON-able form of a Convex value, under the name that PyPI `convex` has for it."""
    return msgspec.json.decode(encode(value))


def json_to_convex(value: object) -> Any:
    """The Convex value of a JSON-able form, under the name that PyPI `convex` has for it."""
    return decode(msgspec.json.encode(value))


# Frames
