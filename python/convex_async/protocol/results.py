"""What a function gave: a value or a failure, as wire bytes. One form for all who tell of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from convex_async.protocol.messages import ABSENT, ActionResponse, MutationResponse


class Succeeded(Struct, frozen=True, gc=False):
    """The function's value, as wire bytes."""

    value: bytes
    log_lines: Sequence[str] = ()

    def same_state(self, other: FunctionResult) -> bool:
        """Whether a consumer could tell the two apart; log lines are no part of the state."""
        return isinstance(other, Succeeded) and self.value == other.value


class Failed(Struct, frozen=True, gc=False):
    """The function's failure.

    Attributes:
        message: the deployment's text without the request id.
        data: the wire bytes of a ConvexError's data, or None for any other failure.
        request_id: 16 hex digits, new for each run, or None.
    """

    message: str
    data: bytes | None = None
    log_lines: Sequence[str] = ()
    request_id: str | None = None

    def same_state(self, other: FunctionResult) -> bool:
        """Whether a consumer could tell the two apart, but for the id of the run."""
        return (
            isinstance(other, Failed) and self.message == other.message and self.data == other.data
        )


FunctionResult: TypeAlias = Succeeded | Failed


class Lost(Struct, frozen=True):
    """The socket went while the action was under way: it may have run, or may still run."""

    reason: str


class TooLarge(Struct, frozen=True):
    """The socket was closed twice over the size of this request's message."""

    reason: str


Answer: TypeAlias = FunctionResult | Lost | TooLarge


def result_of(response: MutationResponse | ActionResponse) -> FunctionResult:
    """What a mutation or action gave.

    Raises:
        msgspec.DecodeError: it failed, and its result is no text.
    """
    if response.success:
        return Succeeded(bytes(response.result), response.log_lines)
    text, request_id = split_request_id(msgspec.json.decode(response.result, type=str))
    return Failed(text, present(response.error_data), response.log_lines, request_id)


_REQUEST_ID = re.compile(r"\[Request ID: ([0-9a-f]+)\] ?")


def split_request_id(message: str) -> tuple[str, str | None]:
    """A failure's text without its `[Request ID: …]`, and that id."""
    match = _REQUEST_ID.match(message)
    return (message[match.end() :], match[1]) if match else (message, None)


def present(data: Raw) -> bytes | None:
    """The bytes of a value that may be absent, copied out of its frame."""
    return None if data == ABSENT else bytes(data)
