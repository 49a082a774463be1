"""What becomes of a mutation whose reads another one changed: its turn, then another try."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from convex_async.local.problems import DeploymentProblem
from convex_async.local.transactions.transaction import Conflict
from convex_async.local.transactions.turns import Turn, Turns

T = TypeVar("T")

# Source for all: convex-backend crates/common/src/knobs.rs, UDF_EXECUTOR_OCC_MAX_RETRIES,
# _INITIAL_BACKOFF_MS and _MAX_BACKOFF_MS, in times and seconds.
CONFLICT_RETRIES = 4
INITIAL_BACKOFF = 0.1
MAX_BACKOFF = 2.0


async def retried(name: str, turns: Turns, attempt: Callable[[Turn], Awaitable[T]]) -> T:
    """The result of an attempt that no conflict ends.

    After a conflict it waits for its turn at what was contested: who has the turn is not
    overtaken there. Should it conflict all the same, it waits longer each time.

    Args:
        name: what is attempted, for the error.
        attempt: is given the turns that it has.

    Raises:
        DeploymentProblem: it conflicted too often.
    """
    turn = Turn(turns)
    failures = 0
    try:
        while True:
            try:
                return await attempt(turn)
            except Conflict as conflict:
                failures += conflict.is_real
                if failures > CONFLICT_RETRIES:
                    break
                contested = conflict.contested
            if contested is None or contested in turn.held:
                await asyncio.sleep(_backoff(failures))
            else:
                await turn.wait(contested)
    finally:
        turn.end()
    raise DeploymentProblem(
        "OCC",
        "OptimisticConcurrencyControlFailure",
        f"{name} changed documents that other mutations changed at the same time, "
        f"{CONFLICT_RETRIES + 1} times",
    )


def _backoff(failures: int) -> float:
    """Source: convex-backend crates/convex/sync_types/src/backoff.rs."""
    longest: float = min(INITIAL_BACKOFF * 2 ** max(failures - 1, 0), MAX_BACKOFF)
    return longest * random.random()
