"""What a verb is asked for: a path with arguments, or a typed call that has both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convex_async.calls import Call, Verb, check_call
from convex_async.codec.values import encode_arguments
from convex_async.function_path import FunctionPath, FunctionReference, canonical_path


def read(
    verb: Verb,
    path: str | FunctionReference | Call[Any],
    args: Mapping[str, Any] | None,
    type: Any,
) -> tuple[FunctionPath, bytes, Any]:
    """The path, the wire bytes of the arguments, and what the value is to be.

    Args:
        type: where a call is given, in place of the call's own; None takes that.

    Raises:
        CodecError, ValueError: bad arguments or path.
        TypeError: the call is for another verb, or has arguments beside it.
    """
    if isinstance(path, Call):
        check_call(path, verb, args)
        return path.path, encode_arguments(path.args), path.type if type is None else type
    return canonical_path(path), encode_arguments(args), type


def unpack(
    verb: Verb,
    path: str | FunctionReference | Call[Any],
    args: Mapping[str, Any] | None,
    type: Any,
) -> tuple[str | FunctionReference, Mapping[str, Any] | None, Any]:
    """The same, as they were given: for who encodes them later.

    Raises:
        TypeError: the call is for another verb, or has arguments beside it.
    """
    if isinstance(path, Call):
        check_call(path, verb, args)
        return path.path, path.args, path.type if type is None else type
    return path, args, type
