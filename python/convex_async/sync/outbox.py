"""The outbox of a blocking client."""

from __future__ import annotations

from pathlib import Path

from convex_async.client.convex_client import ConvexClient
from convex_async.outbox.file import OutboxEntry
from convex_async.sync.loop import ClientThread


class BlockingOutbox:
    """The mutations that outlive the process; made by `ConvexClient(outbox=path)`."""

    def __init__(self, home: ClientThread, client: ConvexClient) -> None:
        self._home = home
        self._client = client
        self._inner = client.outbox

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"

    @property
    def path(self) -> Path:
        """The file."""
        return self._inner.path

    @property
    def pending(self) -> list[OutboxEntry]:
        """The mutations without an answer, the oldest first."""
        return self._home.get().call(lambda: self._inner.pending)

    @property
    def failed(self) -> list[OutboxEntry]:
        """The mutations of earlier processes that failed, the oldest first."""
        return self._home.get().call(lambda: self._inner.failed)

    def discard(self, entry: OutboxEntry) -> None:
        """Forget a mutation. A pending one may still run if it was sent before. Idempotent."""
        self._home.get().call(lambda: self._inner.discard(entry))

    def drained(self) -> None:
        """Wait until all that runs as the present user is answered, of earlier processes too."""

        async def drain() -> None:
            await self._client.__aenter__()  # it may not have been used yet
            await self._inner.drained()

        self._home.get().run(drain)
