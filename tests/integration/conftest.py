"""Each test runs on both loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that people run."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
