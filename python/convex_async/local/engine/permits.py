"""How many functions run at a time, and for how long.

Source for all: convex-backend crates/common/src/knobs.rs, and for the texts
crates/application/src/application_function_runner/mod.rs and crates/isolate/src/termination.rs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from convex_async.local import texts
from convex_async.local.definitions.functions import FunctionKind
from convex_async.local.problems import DeploymentProblem, FunctionProblem

# Functions of a kind that run at a time: APPLICATION_MAX_CONCURRENT_QUERIES, _MUTATIONS and
# _V8_ACTIONS.
CONCURRENT: dict[FunctionKind, int] = {"query": 16, "mutation": 16, "action": 64}
# Seconds that a call waits for its turn: APPLICATION_FUNCTION_RUNNER_SEMAPHORE_TIMEOUT and
# _ACTION_SEMAPHORE_TIMEOUT.
PATIENCE: dict[FunctionKind, float] = {"query": 5.0, "mutation": 5.0, "action": 10.0}


class Permits:
    """Lets functions run, so many of each kind at a time, and each for so long."""

    def __init__(self) -> None:
        self._free = {kind: asyncio.Semaphore(number) for kind, number in CONCURRENT.items()}

    @asynccontextmanager
    async def running(self, kind: FunctionKind, duration: float | None) -> AsyncIterator[None]:
        """Wait for a turn, and end a function that is still waiting after its time.

        Args:
            duration: seconds that it may take, or None for who keeps time itself.

        Raises:
            DeploymentProblem: no turn came.
            FunctionProblem: the function took too long.
        """
        free = self._free[kind]
        if free.locked():
            await _turn(free, kind)
        else:
            await free.acquire()
        limit = asyncio.timeout(duration)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise  # the function's own
            raise FunctionProblem(texts.TIMED_OUT.format(seconds=duration)) from None
        finally:
            free.release()


async def _turn(free: asyncio.Semaphore, kind: FunctionKind) -> None:
    try:
        async with asyncio.timeout(PATIENCE[kind]):
            await free.acquire()
    except TimeoutError:
        raise DeploymentProblem(
            "RateLimited",
            "TooManyConcurrentRequests",
            "Too many concurrent requests. Your backend is limited to "
            f"{CONCURRENT[kind]} concurrent {kind}s.",
        ) from None
