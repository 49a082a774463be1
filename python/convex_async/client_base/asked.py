"""What a verb is asked for: a path with arguments, or a typed call that has both."""

from __future__ import annotations

from typing import Any

from convex_async.calls import Call, Verb, check_call
from convex_async.function_path import FunctionReference
from convex_async.values import Arguments


def unpack(
    verb: Verb,
    path: str | FunctionReference | Call[Any],
    args: Arguments | None,
    type: Any,
) -> tuple[str | FunctionReference, Arguments | None, Any]:
    """The path, the arguments and what the value is to be, as they were given.

    Args:
        type: where a call is given, in place of the call's own; None takes that.

    Raises:
        TypeError: the call is for another verb, or has arguments beside it.
    """
    if isinstance(path, Call):
        check_call(path, verb, args)
        return path.path, path.args, path.type if type is None else type
    return path, args, type
