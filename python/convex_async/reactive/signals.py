"""SIGTERM and SIGINT for whoever drains at them; several at once share the handlers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_told: list[Callable[[], None]] = []


@contextlib.contextmanager
def told_of_signals(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` at each signal, in the running loop; the handlers of before come back then.

    Outside the main thread, and where a loop takes no handlers (Windows), nothing is changed.
    """
    is_first = not _told
    _told.append(tell)
    before = _install() if is_first else {}
    try:
        yield
    finally:
        _told.remove(tell)
        loop = asyncio.get_running_loop()
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def _install() -> dict[signal.Signals, Any]:
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, _tell_all)
            before[number] = handler
    return before


def _tell_all() -> None:
    for tell in list(_told):
        tell()
