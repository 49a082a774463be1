"""Long work in short turns of the event loop, so that nobody waits for what another asked."""

from __future__ import annotations

import asyncio
import time

# Seconds of work after which others have their turn.
TURN = 0.01


class Pace:
    """Begins with its making; `rest` between the pieces of the work."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def rest(self) -> None:
        """Let others have their turn, if the work has had its own."""
        if time.monotonic() - self._since >= TURN:
            await asyncio.sleep(0)
            self._since = time.monotonic()
