"""Short spellings of server messages, for the tests of the core."""

from __future__ import annotations

from msgspec import Raw

from convex_async.protocol.messages import (
    ABSENT,
    INITIAL_VERSION,
    ActionResponse,
    Modification,
    MutationResponse,
    QueryFailed,
    QueryUpdated,
    StateVersion,
    Transition,
    format_timestamp,
)


def version(query_set: int, identity: int, ts: int) -> StateVersion:
    return StateVersion(query_set, identity, format_timestamp(ts))


def updated(query_id: int, value: bytes, journal: str | None = None) -> QueryUpdated:
    return QueryUpdated(query_id, Raw(value), [], journal)


def failed(query_id: int, message: str, data: bytes | None = None) -> QueryFailed:
    return QueryFailed(query_id, message, [], None, ABSENT if data is None else Raw(data))


def succeeded(request_id: int, value: bytes, ts: int) -> MutationResponse:
    return MutationResponse(request_id, True, Raw(value), format_timestamp(ts), [])


def mutation_failed(request_id: int, text: bytes, data: bytes | None = None) -> MutationResponse:
    error_data = ABSENT if data is None else Raw(data)
    return MutationResponse(request_id, False, Raw(text), None, [], error_data)


def action_succeeded(request_id: int, value: bytes) -> ActionResponse:
    return ActionResponse(request_id, True, Raw(value), [])


class Server:
    """The versions of one socket, so that a test only says what changes."""

    def __init__(self) -> None:
        self.at = INITIAL_VERSION

    def transition(
        self,
        *modifications: Modification,
        ts: int,
        query_set: int | None = None,
        identity: int | None = None,
    ) -> Transition:
        """The transition from where the socket is; versions not given stay."""
        end = version(
            self.at.query_set if query_set is None else query_set,
            self.at.identity if identity is None else identity,
            ts,
        )
        start, self.at = self.at, end
        return Transition(start, end, list(modifications))
