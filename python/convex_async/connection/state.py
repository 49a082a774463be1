"""What a client's connection is like, as one value to look at."""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

from msgspec import Struct

from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Closing, Halted, Offline, Online
from convex_async.protocol.client.identity import (
    ANONYMOUS,
    ClientIdentity,
    Confirmed,
    Refused,
    Unconfirmed,
    Waiting,
)

Phase: TypeAlias = Literal["idle", "connecting", "connected", "disconnected", "stopped", "closed"]
AuthPhase: TypeAlias = Literal["anonymous", "fetching", "unconfirmed", "authenticated", "refused"]


class ClientState(Struct, frozen=True):
    """A client's connection and identity at one moment.

    Attributes:
        phase: "idle" before the first use; "disconnected" while it waits for the next try;
            "stopped" when the deployment ended the session for good.
        auth: "fetching" while a token is awaited, "refused" when none was accepted.
        connection_count: sockets opened so far.
        retries: failed tries since the connection last worked in full.
        last_close_reason: why the last socket went, or could not be opened; None at first.
        pending_requests: mutations and actions without an answer.
        max_observed_ts: the highest timestamp seen, ns since the epoch; 0 before the first.
    """

    phase: Phase
    auth: AuthPhase
    connection_count: int
    retries: int
    last_close_reason: str | None
    pending_requests: int
    max_observed_ts: int

    @property
    def is_connected(self) -> bool:
        """Whether a socket is open."""
        return self.phase == "connected"

    @property
    def is_final(self) -> bool:
        """Whether no other state follows."""
        return self.phase in ("stopped", "closed")


def state_of(
    core: ClientProtocol[Mailbox], running: Running | None, *, closed: bool
) -> ClientState:
    """The state right now."""
    return ClientState(
        phase="closed" if closed else _phase(core, running),
        auth=_auth(core.identity),
        connection_count=core.connection_count,
        retries=core.retries,
        last_close_reason=core.last_close_reason if core.has_ended_before else None,
        pending_requests=len(core.pending_requests),
        max_observed_ts=core.max_observed_ts,
    )


def _phase(core: ClientProtocol[Mailbox], running: Running | None) -> Phase:
    if running is None:
        return "idle"
    if not running.is_alive:
        return "stopped"
    match core.connection:
        case Halted():
            return "stopped"
        case Online():
            return "connected"
        case Offline() | Closing():
            return "connecting" if running.is_connecting else "disconnected"
        case _:
            assert_never(core.connection)


def _auth(identity: ClientIdentity) -> AuthPhase:
    match identity.state:
        case Waiting():
            return "fetching"
        case Refused():
            return "refused"
        case Confirmed(credential):
            return "anonymous" if credential == ANONYMOUS else "authenticated"
        case Unconfirmed(credential):
            return "anonymous" if credential == ANONYMOUS else "unconfirmed"
        case _:
            assert_never(identity.state)
