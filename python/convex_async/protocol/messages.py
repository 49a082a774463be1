"""Every message of the sync protocol, both ways, as it stands on the wire.

A value is a `msgspec.Raw`: its wire bytes, not looked into. An absent value is an empty Raw.
Timestamps are ns since the epoch: 8 bytes little-endian in base64 on the wire, `int` elsewhere.

Source: convex-backend crates/sync/types; convex-js src/browser/sync/protocol.ts.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from typing import Annotated, TypeAlias

from msgspec import Meta, Raw, Struct, field

U32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
WireTimestamp: TypeAlias = str

ABSENT = Raw(b"")
"""A value that is not on the wire, which differs from one that is null."""

TIMESTAMP_ZERO: WireTimestamp = "AAAAAAAAAAA="


def parse_timestamp(text: WireTimestamp) -> int:
    """The timestamp in ns since the epoch, from 0 to 2**64 - 1.

    Raises:
        ValueError: the text is not the base64 of 8 bytes.
    """
    data = a2b_base64(text, strict_mode=True)
    if len(data) != 8:
        raise ValueError(f"a timestamp is 8 bytes in base64, not {text!r}")
    return int.from_bytes(data, "little")


def format_timestamp(ts: int) -> WireTimestamp:
    """The wire text of a timestamp in ns since the epoch."""
    return b64encode(ts.to_bytes(8, "little")).decode("ascii")


class Message(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False, tag_field="type"):
    """What all messages have in common; `type` on the wire is the name of the class."""


class StateVersion(Struct, frozen=True, rename="camel", gc=False):
    """What a client has been told: query set version, identity version, timestamp."""

    query_set: U32
    identity: U32
    ts: WireTimestamp


INITIAL_VERSION = StateVersion(0, 0, TIMESTAMP_ZERO)


# Client to server


class Connect(Message, frozen=True, tag="Connect"):
    """Opens the session on a new socket.

    `client_ts` is the client's clock in ms since the epoch.
    """

    session_id: str
    connection_count: U32
    last_close_reason: str | None = None
    max_observed_timestamp: WireTimestamp | None = None
    client_ts: int | None = None


class Add(Message, frozen=True, tag="Add"):
    """Adds a query to the query set; `args` is a JSON array of one object."""

    query_id: U32
    udf_path: str
    args: Raw = ABSENT
    journal: str | None = None
    component_path: str | None = None


class Remove(Message, frozen=True, tag="Remove"):
    """Takes a query out of the query set."""

    query_id: U32


class ModifyQuerySet(Message, frozen=True, tag="ModifyQuerySet"):
    """Takes the query set from one version to a later one."""

    base_version: U32
    new_version: U32
    modifications: list[Add | Remove]


class Mutation(Message, frozen=True, tag="Mutation"):
    """Runs a mutation once per (session id, request id); `args` is a JSON array of one object."""

    request_id: U32
    udf_path: str
    args: Raw
    component_path: str | None = None


class Action(Message, frozen=True, tag="Action"):
    """Runs an action; `args` is a JSON array of one object."""

    request_id: U32
    udf_path: str
    args: Raw
    component_path: str | None = None


class Authenticate(Message, frozen=True, tag="Authenticate"):
    """Changes the identity; `token_type` is "User", "Admin" or "None".

    `impersonating` is the JSON object of the user that an admin acts as; `acting_as` is another
    name of it, which the Rust client writes.
    """

    base_version: U32
    token_type: str
    value: str | None = None
    impersonating: Raw = ABSENT
    acting_as: Raw = field(default=ABSENT, name="acting_as")

    def __repr__(self) -> str:
        return f"Authenticate(base_version={self.base_version}, token_type={self.token_type!r})"


class Event(Message, frozen=True, tag="Event"):
    """A metric that a client reports; the deployment may ignore it."""

    event_type: str
    event: Raw


ClientMessage: TypeAlias = Connect | ModifyQuerySet | Mutation | Action | Authenticate | Event


# Server to client. What the server always writes has no default here, or is written in full
# because `omit_defaults` is off: npm's client counts on the nulls.


class ServerMessageBase(Message, frozen=True, omit_defaults=False):
    """A message whose optional fields are written even if they are null."""


class QueryUpdated(ServerMessageBase, frozen=True, tag="QueryUpdated"):
    """A query has a new value."""

    query_id: U32
    value: Raw = Raw(b"null")
    log_lines: list[str] = []
    journal: str | None = None


class QueryFailed(Message, frozen=True, tag="QueryFailed"):
    """A query failed; `error_data` is absent unless a ConvexError was thrown."""

    query_id: U32
    error_message: str
    log_lines: list[str]
    journal: str | None
    error_data: Raw = ABSENT


class QueryRemoved(ServerMessageBase, frozen=True, tag="QueryRemoved"):
    """A query left the query set."""

    query_id: U32


Modification: TypeAlias = QueryUpdated | QueryFailed | QueryRemoved


class Transition(ServerMessageBase, frozen=True, tag="Transition"):
    """Takes the client from one state version to the next, all of it or nothing.

    `client_clock_skew` is in ms, positive if the client's clock is ahead; `server_ts` is in ns.
    """

    start_version: StateVersion
    end_version: StateVersion
    modifications: list[Modification]
    client_clock_skew: int | None = None
    server_ts: int | None = None


class TransitionChunk(ServerMessageBase, frozen=True, tag="TransitionChunk"):
    """A slice of the text of a Transition; `part_number` counts from 0."""

    chunk: str
    part_number: U32
    total_parts: U32
    transition_id: str


class MutationResponse(Message, frozen=True, tag="MutationResponse"):
    """The outcome of a mutation: `result` is its value, or the error text if it failed."""

    request_id: U32
    success: bool
    result: Raw
    ts: WireTimestamp | None
    log_lines: list[str]
    error_data: Raw = ABSENT


class ActionResponse(Message, frozen=True, tag="ActionResponse"):
    """The outcome of an action: `result` is its value, or the error text if it failed."""

    request_id: U32
    success: bool
    result: Raw
    log_lines: list[str]
    error_data: Raw = ABSENT


class AuthError(Message, frozen=True, tag="AuthError"):
    """The token was refused, or has expired; the server closes the socket after it.

    `base_version` is the identity version of the last transition that the server sent.
    """

    error: str
    base_version: U32 | None = None
    auth_update_attempted: bool | None = None


class FatalError(ServerMessageBase, frozen=True, tag="FatalError"):
    """The session can't go on; the same messages would fail again."""

    error: str


class Ping(ServerMessageBase, frozen=True, tag="Ping"):
    """A sign of life that wants no reply."""


ServerMessage: TypeAlias = (
    Transition | TransitionChunk | MutationResponse | ActionResponse | AuthError | FatalError | Ping
)
