"""Running a function written in Python."""

from __future__ import annotations

import traceback
from typing import Any

import msgspec

from convex_async.errors import ConvexClientError
from convex_async.local.problems import FunctionProblem


def describe(error: BaseException) -> str:
    if isinstance(error, FunctionProblem):
        return str(error)
    name = type(error).__name__
    where = ""
    # The frames of the user's own code, innermost first, as Convex shows them.
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "/convex_async/" not in frame.filename.replace("\\", "/"):
            where += f"\n    at {frame.name} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
    message = error.args[0] if isinstance(error, ConvexClientError) and error.args else error
    return f"Uncaught {name}: {message}{where}"


def read_args(raw: Any) -> bytes:
    """The arguments object out of the array that a message carries.

    Raises:
        FunctionProblem: it is no array of one object.
    """
    items = msgspec.json.decode(raw or b"[{}]", type=list[msgspec.Raw])
    if len(items) > 1:
        raise FunctionProblem("A function takes one object of arguments")
    return bytes(items[0]) if items else b"{}"
