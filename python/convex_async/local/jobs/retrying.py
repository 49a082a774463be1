"""Work that goes on until it is done, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

# Seconds. Source: convex-backend crates/common/src/knobs.rs, SCHEDULED_JOB_INITIAL_BACKOFF.
INITIAL_BACKOFF = 0.5
# Seconds. Source: convex-backend crates/application/src/cron_jobs/mod.rs, MAX_BACKOFF.
MAX_BACKOFF = 15.0

# What is said of an action whose process ended.
LOST = "Transient error while executing action"

_log = logging.getLogger("convex_async.local")


async def until_done(name: str, attempt: Callable[[], Awaitable[None]]) -> None:
    """Attempt until it does not raise, each time after a longer while.

    Args:
        name: what it is, for the log.
    """
    backoff = INITIAL_BACKOFF
    while True:
        try:
            await attempt()
            return
        except Exception:
            delay = backoff * random.uniform(0.5, 1.5)
            _log.exception("%s did not run; it does in %.1f s", name, delay)
            await asyncio.sleep(delay)
            backoff = min(backoff * 2, MAX_BACKOFF)
