"""The state that the deployment has told this client of: one version, whole transitions only."""

from __future__ import annotations

from typing import TypeAlias

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.messages import (
    Modification,
    QueryFailed,
    QueryUpdated,
    StateVersion,
    Transition,
    parse_timestamp,
)
from convex_async.protocol.results import (
    Failed,
    FunctionResult,
    Succeeded,
    present,
    split_request_id,
)

Version: TypeAlias = tuple[int, int, int]
"""Query set version, identity version, and the timestamp in ns since the epoch."""

Update: TypeAlias = tuple[int, FunctionResult | None, str | None]
"""A query's id, its new result, None if it was removed, and its journal."""

Step: TypeAlias = tuple[Version, Version, tuple[Update, ...]]
"""What a Transition says: the version that it starts from, the one it goes to, and the updates.

Plain tuples, because one comes with each update: the extension makes them from a frame without a
Transition between (`frames.FrameDecoder`), and what they mean is said by `step_of`.
"""

INITIAL: Version = (0, 0, 0)


class StartVersionMismatch(RemoteProtocolError):
    """A transition that does not start where this client is."""


def step_of(transition: Transition) -> Step:
    """What a transition says.

    Raises:
        RemoteProtocolError: a timestamp is malformed.
    """
    start = _version(transition.start_version)
    end = _version(transition.end_version)
    return start, end, tuple(map(update_of, transition.modifications))


def _version(version: StateVersion) -> Version:
    try:
        return version.query_set, version.identity, parse_timestamp(version.ts)
    except ValueError as error:
        raise RemoteProtocolError(str(error)) from error


def update_of(modification: Modification) -> Update:
    """The result and journal that a modification brings its query.

    Values are copied, so that one small result does not keep a whole frame alive.
    """
    if isinstance(modification, QueryUpdated):
        value = Succeeded(bytes(modification.value), tuple(modification.log_lines))
        return modification.query_id, value, modification.journal
    if isinstance(modification, QueryFailed):
        message, request_id = split_request_id(modification.error_message)
        data = present(modification.error_data)
        failure = Failed(message, data, tuple(modification.log_lines), request_id)
        return modification.query_id, failure, modification.journal
    return modification.query_id, None, None


class RemoteState:
    """The version of the present socket, and the highest timestamp shown on any.

    Attributes:
        ts: the timestamp of the last transition of this client's life, ns since the epoch.
        max_observed_ts: the highest timestamp that any message told.
    """

    def __init__(self) -> None:
        self._version = INITIAL
        self.ts: int = 0
        self.max_observed_ts: int = 0

    @property
    def identity(self) -> int:
        """The identity version that the deployment has acknowledged on this socket."""
        return self._version[1]

    def restart(self) -> None:
        """A new socket begins at version zero; `ts` stays, as time never goes back."""
        self._version = INITIAL

    def observe(self, ts: int) -> None:
        """A message told of this timestamp, ns since the epoch."""
        if ts > self.max_observed_ts:
            self.max_observed_ts = ts

    def move(self, start: Version, end: Version) -> None:
        """Go from one version to the next, or raise and stay.

        Raises:
            StartVersionMismatch: it starts elsewhere.
            RemoteProtocolError: it goes back in time or in a version.
        """
        if start != self._version:
            raise StartVersionMismatch(
                f"a transition from {_spell(start)} where this client is at {_spell(self._version)}"
            )
        query_set, identity, ts = end
        if ts < self.ts or query_set < start[0] or identity < start[1]:
            raise RemoteProtocolError(
                f"a transition from {_spell(start)} back to {_spell(end)}, after ts {self.ts}"
            )
        self._version, self.ts = end, ts
        if ts > self.max_observed_ts:
            self.max_observed_ts = ts


def _spell(version: Version) -> str:
    return "(query set {}, identity {}, ts {})".format(*version)
