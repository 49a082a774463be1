"""The deployment's answers as Python values and errors, made at the user's own line."""

from __future__ import annotations

from typing import Any, assert_never

from convex_async.codec.values import decode
from convex_async.errors import (
    CodecError,
    ConnectionLostError,
    ConvexError,
    FunctionError,
    MessageTooLargeError,
)
from convex_async.function_path import FunctionPath
from convex_async.protocol.results import (
    Answer,
    Failed,
    Lost,
    Succeeded,
    TooLarge,
)
from convex_async.shown import escaped


def value_or_raise(path: FunctionPath, answer: Answer, type: Any) -> Any:
    """The value of an answer, decoded afresh.

    Raises:
        ConvexError, FunctionError: the function failed.
        MessageTooLargeError: the request is not taken.
        ConnectionLostError: an action was under way when the socket went.
        CodecError: the value is not what `type` says, or not a Convex value.
    """
    match answer:
        case Succeeded():
            try:
                return decode(answer.value, type=type)
            except CodecError as error:
                error.add_note(f"in what {path} returned")
                error.outcome = "unknown"
                raise
        case Failed():
            try:
                failure = function_error(path, answer)
            except CodecError as error:
                error.add_note(f"in the data with which {path} failed")
                error.outcome = "unknown"
                raise
            raise failure
        case Lost():
            raise ConnectionLostError(
                f"{path}: the connection was lost while the action was under way "
                f"({answer.reason}); it may or may not have run"
            )
        case TooLarge():
            raise MessageTooLargeError(
                f"{path}: the connection was closed twice over the size of this request "
                f"({answer.reason}); it is not sent again",
                outcome="unknown",
            )
        case _:
            assert_never(answer)


def function_error(path: FunctionPath, failure: Failed) -> FunctionError:
    """The error that a failure stands for; a ConvexError if the application threw data."""
    if failure.data is None:
        return FunctionError(
            escaped(failure.message),
            path=path,
            log_lines=failure.log_lines,
            request_id=failure.request_id,
        )
    return ConvexError(
        escaped(failure.message),
        decode(failure.data, root="data"),
        path=path,
        log_lines=failure.log_lines,
        request_id=failure.request_id,
    )
