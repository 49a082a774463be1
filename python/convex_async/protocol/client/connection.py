"""The client's sockets, one after another: the present one's state, its life, and the next try."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from convex_async.protocol.client.backoff import backoff

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

Wanted: TypeAlias = tuple[Literal["query", "request", "identity"], int]
"""Something that was wanted as the socket opened, and its id."""


class Link:
    """The one socket that a client has at a time.

    Args:
        inactivity_timeout: seconds without any frame after which a socket counts as dead.

    Attributes:
        state: of the present socket.
        count: sockets that were opened so far.
        retries: failed tries since all that was outstanding had last settled.
        last_close_reason: why the last socket went, or could not be opened.
        last_heard: when the last frame came.
        outstanding: what was wanted as the socket opened, and has not come yet; until all of it
            has, the deployment may be unwell, and the backoff is not reset.
        at_once: the socket is being closed, and the next is not to wait for a backoff.
    """

    def __init__(self, *, inactivity_timeout: float) -> None:
        self.state: Connection = Offline(retry_at=float("-inf"))
        self.count: int = 0
        self.retries: int = 0
        self.last_close_reason: str = INITIAL_REASON
        self.last_heard: float = 0.0
        self.outstanding: set[Wanted] = set()
        self.at_once: bool = False
        self._inactivity_timeout = inactivity_timeout

    @property
    def is_online(self) -> bool:
        """Whether a socket is open, and not to be cut."""
        return isinstance(self.state, Online)

    @property
    def silence_ends(self) -> float | None:
        """When the socket counts as dead if nothing comes; None without one."""
        return self.last_heard + self._inactivity_timeout if self.is_online else None

    def opened(self, outstanding: set[Wanted], *, now: float) -> None:
        """A socket is open, and these things are wanted."""
        self.state = Online()
        self.count += 1
        self.last_heard = now
        self.outstanding = outstanding

    def lost(self, reason: str, *, now: float, jitter: float, awaits_token: bool) -> None:
        """The socket is gone, or could not be opened.

        Args:
            jitter: a random number from 0 to 1.
            awaits_token: an open socket could send nothing: the next token decides when to
                connect.
        """
        self.last_close_reason = reason
        if awaits_token:
            self.state = Offline(retry_at=None)
        elif self.at_once:
            self.state = Offline(now)
        else:
            self.state = Offline(now + backoff(reason, self.retries, jitter))
            self.retries += 1
        self.at_once = False

    def due(self, *, now: float) -> None:
        """Do not wait for the backoff to pass; a token that has to come first still has to."""
        match self.state:
            case Offline(float()):
                self.state = Offline(now)
            case Closing():  # there is no backoff yet: there shall be none
                self.at_once = True
            case _:
                pass

    def token_came(self, *, now: float) -> None:
        """A socket that waited for a token can be opened now."""
        if self.state == Offline(retry_at=None):
            self.state = Offline(now)

    def token_needed(self) -> None:
        """A socket would be of no use before there is another token."""
        if isinstance(self.state, Offline):
            self.state = Offline(retry_at=None)
