"""SIGTERM tells everybody who drains, and the handlers of before come back."""

import asyncio
import os
import signal

from convex_async.reactive.signals import told_of_signals


async def test_all_are_told_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    first, second = asyncio.Event(), asyncio.Event()
    with told_of_signals(first.set), told_of_signals(second.set):
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await first.wait()
            await second.wait()
    assert signal.getsignal(signal.SIGTERM) == before
