"""How long others wait for their turn of an event loop."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from typing import Self


class Heartbeat:
    """Takes every turn of the running loop, and notes the longest.

    Attributes:
        longest: seconds of the processor that one turn took; a busy machine does not lengthen it.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Self:
        # The tests of a whole run leave objects that are no deployment's to look through.
        gc.collect()
        gc.freeze()
        self._task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        gc.unfreeze()

    async def _beat(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now
