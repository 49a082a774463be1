"""An event loop whose time passes only when there is nothing to do: two hours in seconds."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


class VirtualSelector(selectors.DefaultSelector):
    """Waits by moving the clock.

    Attributes:
        now: seconds since the beginning.
        turns: how often the loop has asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits, for nothing that will ever happen")
        if not ready and timeout is not None:
            self.now += timeout
        return ready


def run_virtually(
    main: Coroutine[Any, Any, T], monkeypatch: pytest.MonkeyPatch
) -> tuple[T, VirtualSelector]:
    """Run to the end on a clock of its own, which `time.monotonic` tells meanwhile."""
    selector = VirtualSelector()
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: selector.now)
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
            return runner.run(main), selector
