"""The state of the client's one socket."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

INITIAL_REASON = "InitialConnect"


class Offline(Struct, frozen=True):
    """No socket; `retry_at` says when to open the next, None that a token has to come first."""

    retry_at: float | None


class Online(Struct, frozen=True):
    """A socket is open."""


class Closing(Struct, frozen=True):
    """The socket is to be cut; what still comes from it is ignored."""


class Halted(Struct, frozen=True):
    """The session is over for good."""

    message: str


Connection: TypeAlias = Offline | Online | Closing | Halted
