"""Long work in short turns."""

from __future__ import annotations

import asyncio

import pytest

from convex_async.local.server import pacing
from convex_async.local.server.pacing import Pace


async def turns_of(pieces: int) -> int:
    """How often others had their turn during so many pieces of work."""
    turns = 0
    ended = False

    async def other() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    pace = Pace()
    for _ in range(pieces):
        await pace.rest()
    ended = True
    seen = turns
    await task
    return seen


async def test_others_have_their_turn_after_long_work_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "TURN", 60.0)
    assert await turns_of(100) == 0
    monkeypatch.setattr(pacing, "TURN", 0.0)
    assert await turns_of(100) == 100
