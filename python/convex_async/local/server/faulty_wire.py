"""The wire as the fault switches have it."""

from __future__ import annotations

from convex_async.protocol.messages import (
    ActionResponse,
    MutationResponse,
    parse_timestamp,
)


def commit_ts(response: MutationResponse | ActionResponse) -> int:
    """The commit of a mutation; 0 of what committed nothing."""
    if isinstance(response, ActionResponse) or response.ts is None:
        return 0
    return parse_timestamp(response.ts)
