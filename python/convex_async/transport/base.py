"""What the driver asks of a transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

TOO_LARGE = "closed with code 1009"
"""How the reason begins where the peer takes no message of that size (RFC 6455, 7.4.1)."""


class ConnectionClosed(Exception):
    """The connection ended.

    Attributes:
        reason: the peer's close reason; else what is known, such as `closed with code 1006`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Transport(Protocol):
    """One open connection. One task receives; several may send, each a whole frame."""

    @property
    def is_clear(self) -> bool:
        """Whether all that was sent is on its way: a small frame is written without waiting."""
        ...

    async def send(self, frame: bytes) -> None:
        """Write a text frame, in UTF-8; waits only while the peer does not read.

        Raises:
            ConnectionClosed: the connection ended.
        """
        ...

    async def receive(self) -> bytes | None:
        """The next text frame, in UTF-8, or None for a mere sign of life such as a ping.

        Raises:
            ConnectionClosed: the connection ended.
        """
        ...

    async def close(self, *, timeout: float) -> None:
        """Say goodbye and let go, at the latest after `timeout` seconds. Never raises."""
        ...


Connector: TypeAlias = Callable[[], Awaitable[Transport]]
"""Opens a connection or raises `TransportError`; `RemoteProtocolError` if none will ever open."""
