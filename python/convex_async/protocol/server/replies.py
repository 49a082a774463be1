"""What the server core answers: responses and changes of results."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import Raw

from convex_async.protocol.messages import (
    ABSENT,
    Modification,
    QueryFailed,
    QueryUpdated,
)
from convex_async.protocol.server.work import (
    Outcome,
    Raised,
    Returned,
    SubscribedQuery,
)


def response_of(outcome: Outcome) -> tuple[bool, Raw, Raw]:
    match outcome:
        case Returned(value):
            return True, Raw(value), ABSENT
        case Raised(message, data):
            text = Raw(_json_string(message))
            return False, text, ABSENT if data is None else Raw(data)
        case _:
            assert_never(outcome)


def change_of_result(query: SubscribedQuery, outcome: Outcome) -> Modification | None:
    """What to tell of a re-run; None if the client knows it already."""
    lines = tuple(outcome.log_lines)
    match outcome:
        case Returned(value):
            told: tuple[bytes, bytes | None, tuple[str, ...]] = (value, None, lines)
            change: Modification = QueryUpdated(
                query.query_id, Raw(value), outcome.log_lines, outcome.journal
            )
        case Raised(message, data):
            told = (message.encode(), data or b"", lines)
            change = QueryFailed(
                query.query_id,
                message,
                outcome.log_lines,
                outcome.journal,
                ABSENT if data is None else Raw(data),
            )
        case _:
            assert_never(outcome)
    if told == query.sent:
        return None
    query.sent = told
    return change


def _json_string(text: str) -> bytes:
    return msgspec.json.encode(text)
