"""The journal of a client without an outbox."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from convex_async.errors import OutboxError
from convex_async.function_path import FunctionPath
from convex_async.outbox.file import OutboxEntry
from convex_async.protocol.client.requests import RequestId


class NoJournal:
    """The journal of a client without an outbox: nothing is noted, and nothing is waited for."""

    session_id: str | None = None
    is_kept = False

    async def open(self) -> None:
        """Get ready."""

    def begin(
        self, kept: Callable[[RequestId], None], failed: Callable[[RequestId, OutboxError], None]
    ) -> None:
        """Whom to tell what is in the file, and what could not be brought there."""

    def next_id(self) -> RequestId | None:
        """The id of the next request; None lets the core count."""
        return None

    def add(
        self, request_id: RequestId, path: FunctionPath, args: bytes, *, user: str | None
    ) -> None:
        """Note a mutation."""

    def add_unnoted(self, request_id: RequestId) -> None:
        """A request that takes an id and is not noted."""

    def connected(self) -> bool:
        """A socket is open; whether requests have to wait until that is noted."""
        return False

    def disconnected(self) -> None:
        """No socket is open."""

    def take(self, user: str, *, is_token: bool) -> list[OutboxEntry]:
        """The mutations of earlier processes that are to run as this user, each once."""
        return []

    def name_user(self, user: str) -> None:
        """The token is there: what this process called meanwhile runs as this user."""

    def forget(self, request_id: RequestId) -> None:
        """The request was answered, or withdrawn; nothing is done if it is not noted."""

    def fail(self, request_id: RequestId, failure: str) -> None:
        """The mutation failed, and nobody awaits it."""

    def release(self, request_id: RequestId) -> None:
        """The mutation is not under way any more; if it is pending still, `take` gives it again."""

    async def close(self) -> None:
        """Let go of it for good; what is pending stays noted. Idempotent."""

    def close_soon(self) -> Future[None] | None:
        """Begin to close; done when it is free for another, None if there is nothing to free."""
        return None


class NumberedJournal(NoJournal):
    """The journal of who keeps by other means which request of a session has which number."""

    def __init__(self, session_id: str, first: int) -> None:
        self.session_id = session_id
        self._next = first

    def next_id(self) -> RequestId:
        """The numbers, from the first on."""
        self._next += 1
        return RequestId(self._next - 1)
