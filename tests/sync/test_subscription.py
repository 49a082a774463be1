"""Asynchronous iterators as plain ones."""

from collections.abc import AsyncIterator

import pytest

from convex_async.sync.loop import loop_thread
from convex_async.sync.subscription import blocking_iterator


def test_items_errors_and_the_end_come_through() -> None:
    async def items(last: int) -> AsyncIterator[int]:
        for n in range(3):
            if n == last:
                raise ZeroDivisionError
            yield n

    assert list(blocking_iterator(loop_thread(), lambda: items(9))) == [0, 1, 2]
    failing = blocking_iterator(loop_thread(), lambda: items(1))
    assert next(failing) == 0
    with pytest.raises(ZeroDivisionError):
        next(failing)
