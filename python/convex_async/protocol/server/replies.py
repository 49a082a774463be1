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
from convex_async.protocol.results import Failed, FunctionResult, Succeeded, split_request_id
from convex_async.protocol.server.work import SubscribedQuery


def response_of(result: FunctionResult) -> tuple[bool, Raw, Raw]:
    """`success`, `result` and `errorData` of the response to a mutation or action."""
    match result:
        case Succeeded(value):
            return True, Raw(value), ABSENT
        case Failed(message=message, data=data):
            text = Raw(_json_string(message))
            return False, text, ABSENT if data is None else Raw(data)
        case _:
            assert_never(result)


def change_of_result(query: SubscribedQuery, result: FunctionResult) -> Modification | None:
    """What to tell of a re-run; None if the client knows it already."""
    lines = tuple(result.log_lines)
    match result:
        case Succeeded(value):
            told: tuple[bytes, bytes | None, tuple[str, ...]] = (value, None, lines)
            change: Modification = QueryUpdated(
                query.query_id, Raw(value), list(lines), query.journal
            )
        case Failed(message=message, data=data):
            # Its request id is another one at each run, which is no change.
            told = (split_request_id(message)[0].encode(), data or b"", lines)
            change = QueryFailed(
                query.query_id,
                message,
                list(lines),
                query.journal,
                ABSENT if data is None else Raw(data),
            )
        case _:
            assert_never(result)
    if told == query.sent:
        return None
    query.sent = told
    return change


def _json_string(text: str) -> bytes:
    return msgspec.json.encode(text)
