"""The state that the deployment has told this client of: one version, whole transitions only."""

from __future__ import annotations

import re

from msgspec import Raw

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.messages import (
    ABSENT,
    INITIAL_VERSION,
    Modification,
    QueryFailed,
    QueryUpdated,
    Transition,
    parse_timestamp,
)
from convex_async.protocol.query_set import QueryFailure, QueryResult, QueryValue

_REQUEST_ID = re.compile(r"\[Request ID: ([0-9a-f]+)\] ?")


class StartVersionMismatch(RemoteProtocolError):
    """A transition that does not start where this client is."""


def split_request_id(message: str) -> tuple[str, str | None]:
    """A failure's text without its `[Request ID: …]`, and that id."""
    match = _REQUEST_ID.match(message)
    return (message[match.end() :], match[1]) if match else (message, None)


def present(data: Raw) -> bytes | None:
    """The bytes of a value that may be absent, copied out of its frame."""
    return None if data == ABSENT else bytes(data)


class RemoteState:
    """The version of the present socket, and the highest timestamp shown on any.

    Attributes:
        ts: the timestamp of the last transition of this client's life, ns since the epoch.
        identity: the identity version that the deployment has acknowledged on this socket.
    """

    def __init__(self) -> None:
        self._version = INITIAL_VERSION
        self.ts = 0

    @property
    def identity(self) -> int:
        return self._version.identity

    def restart(self) -> None:
        """A new socket begins at version zero; `ts` stays, as time never goes back."""
        self._version = INITIAL_VERSION

    def apply(self, transition: Transition) -> None:
        """Move to the end of the transition, or raise and stay.

        Raises:
            StartVersionMismatch: it starts elsewhere.
            RemoteProtocolError: it goes back in time or in a version, or a timestamp is malformed.
        """
        start, end = transition.start_version, transition.end_version
        if start != self._version:
            raise StartVersionMismatch(
                f"a transition from {_spell(start)} where this client is at {_spell(self._version)}"
            )
        try:
            ts = parse_timestamp(end.ts)
        except ValueError as error:
            raise RemoteProtocolError(str(error)) from error
        if ts < self.ts or end.query_set < start.query_set or end.identity < start.identity:
            raise RemoteProtocolError(
                f"a transition from {_spell(start)} back to {_spell(end)}, after ts {self.ts}"
            )
        self._version, self.ts = end, ts


def _spell(version: object) -> str:
    return repr(version).removeprefix("StateVersion")


def result_of(modification: Modification) -> tuple[QueryResult, str | None] | None:
    """The result and journal that a modification brings; None if the query was removed.

    Values are copied, so that one small result does not keep a whole frame alive.
    """
    if isinstance(modification, QueryUpdated):
        value = QueryValue(bytes(modification.value), modification.log_lines)
        return value, modification.journal
    if isinstance(modification, QueryFailed):
        message, request_id = split_request_id(modification.error_message)
        failure = QueryFailure(
            message, request_id, present(modification.error_data), modification.log_lines
        )
        return failure, modification.journal
    return None
