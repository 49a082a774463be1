"""What a tracer is told needs to know: whether the newest result was looked at."""

from convex_async.connection.traced import TracedMailbox
from convex_async.protocol.results import Succeeded

ONE = Succeeded(b"1", [])


async def test_a_result_is_unread_until_somebody_looks() -> None:
    box = TracedMailbox()
    assert not box.is_unread
    box.deliver(ONE, 5)
    assert box.is_unread
    assert box.result == ONE
    assert not box.is_unread


async def test_with_a_buffer_nothing_is_skipped() -> None:
    box = TracedMailbox(2)
    box.deliver(ONE, 5)
    assert not box.is_unread
