"""The thread that blocking clients share."""

import threading

import pytest

from convex_async import LocalProtocolError
from convex_async.sync.loop import loop_thread


async def fails() -> None:
    raise ZeroDivisionError


def test_results_and_errors_come_back() -> None:
    thread = loop_thread()
    assert thread is loop_thread()
    assert thread.call(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        thread.run(fails)


def test_a_blocking_call_inside_a_callback_would_wait_for_itself() -> None:
    thread = loop_thread()
    with pytest.raises(LocalProtocolError, match="wait for itself"):
        thread.call(lambda: thread.run(fails))
