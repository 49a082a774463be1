"""What a server refuses of a client's messages."""

from __future__ import annotations

import re
from typing import assert_never

from convex_async.function_path import canonical_path
from convex_async.protocol.messages import (
    Action,
    Add,
    Authenticate,
    ClientMessage,
    Connect,
    Event,
    ModifyQuerySet,
    Mutation,
    parse_timestamp,
)

# A timestamp is a signed 64 bit number of ns (convex-backend crates/convex/sync_types).
MAX_TIMESTAMP = 2**63 - 1
# Queries of one socket. The real server has no such number, but machines to spare. A message may
# replace them all.
MAX_QUERIES = 10_000


_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.I)


def check(message: ClientMessage) -> None:
    """What the types of a message leave open.

    Raises:
        ValueError: the server would not have been able to read it.

    Source: convex-backend crates/convex/sync_types/src/types/json.rs.
    """
    match message:
        case Connect(session_id, _, _, observed):
            if not _UUID.fullmatch(session_id):
                raise ValueError("sessionId is not a UUID")
            if observed is not None and parse_timestamp(observed) > MAX_TIMESTAMP:
                raise ValueError("maxObservedTimestamp is out of range")
        case Mutation() | Action():
            canonical_path(message.udf_path)
        case ModifyQuerySet():
            if len(message.modifications) > 2 * MAX_QUERIES:
                raise ValueError(f"more than {2 * MAX_QUERIES} modifications")
            for change in message.modifications:
                if isinstance(change, Add):
                    canonical_path(change.udf_path)
        case Authenticate(_, token_type, value):
            if token_type not in ("User", "Admin", "None"):
                raise ValueError(f"tokenType {token_type!r} is none of User, Admin and None")
            if token_type != "None" and value is None:
                raise ValueError(f"a token of type {token_type} needs a value")
        case Event():
            pass
        case _:
            assert_never(message)
