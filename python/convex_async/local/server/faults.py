"""Switches that make a local deployment misbehave, for testing what an application does then."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from convex_async.local.server.sockets import Sockets


@dataclass
class Faults:
    """The switches of one deployment; all are off at first.

    Attributes:
        delay: seconds before each answer to a mutation, an action or a query.
        refuse_upgrades: an HTTP status with which new sockets are refused, or None.
        refuse_auth: refuse every token.
        drop_after_commit: mutations after whose commit the socket is cut, unanswered; counts down.
        duplicate_responses: answer mutations and actions twice.
        transition_first: send the transition that shows a mutation before its response.
        chunk_size: bytes of a part, for sending every transition in parts; None sends only
            those over 5 MB in parts, and only to clients of npm, as the real server does.
        silent: send nothing at all, not even pings.
        sockets: those on which the switches act.
    """

    delay: float = 0.0
    refuse_upgrades: int | None = None
    refuse_auth: bool = False
    drop_after_commit: int = 0
    duplicate_responses: bool = False
    transition_first: bool = False
    chunk_size: int | None = None
    silent: bool = False
    sockets: Sockets = field(default_factory=Sockets, repr=False, compare=False)

    @property
    def connections(self) -> int:
        """Sockets that are open."""
        return len(self.sockets)

    def drop(self) -> int:
        """Cut every socket, without a close frame; returns how many there were."""
        return self.sockets.each(lambda socket: socket.abort())

    def half_open(self) -> int:
        """Neither read from nor write to the present sockets any more, but keep them open."""
        return self.sockets.each(lambda socket: socket.freeze())

    def close(self, code: int = 1011, reason: str = "InternalServerError") -> int:
        """Close every socket with this code and reason."""
        return self.sockets.each(lambda socket: socket.close(code, reason))

    def fatal(self, message: str = "a fatal error, by a fault switch") -> int:
        """Send every client a FatalError, which ends its session for good."""
        return self.sockets.each(lambda socket: socket.fatal(message))

    def mismatch_version(self) -> int:
        """Let the next transition of every socket start at a wrong version."""
        return self.sockets.each(lambda socket: socket.skew_version())

    def expire_auth(self) -> int:
        """Let the token of every socket expire now; who has none does not notice."""
        return self.sockets.each(lambda socket: socket.expire_token())

    def reset(self) -> None:
        """Put all switches off."""
        for switch in fields(self):
            if switch.name != "sockets":
                setattr(self, switch.name, switch.default)
