"""Transitions that come in parts."""

import pytest

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.chunks import MAX_PARTS, ChunkBuffer
from convex_async.protocol.messages import TransitionChunk


def part(text: str, number: int, total: int, name: str = "9") -> TransitionChunk:
    return TransitionChunk(text, number, total, name)


def test_parts_make_the_text() -> None:
    buffer = ChunkBuffer(limit=100)
    assert buffer.add(part("añ", 0, 3)) is None
    assert buffer.add(part("b", 1, 3)) is None
    assert buffer.add(part("c", 2, 3)) == "añbc".encode()
    assert buffer.add(part("again", 0, 1)) == b"again"


@pytest.mark.parametrize(
    "second",
    [part("x", 2, 3), part("x", 1, 4), part("x", 1, 3, "8"), part("x", 3, 3)],
    ids=["skipped", "other total", "other id", "past the end"],
)
def test_a_part_that_does_not_continue_is_refused(second: TransitionChunk) -> None:
    buffer = ChunkBuffer(limit=100)
    buffer.add(part("a", 0, 3))
    with pytest.raises(RemoteProtocolError):
        buffer.add(second)
    assert buffer.add(part("fresh", 0, 1)) == b"fresh"


def test_a_part_zero_begins_anew() -> None:
    buffer = ChunkBuffer(limit=100)
    buffer.add(part("lost", 0, 2))
    buffer.add(part("a", 0, 2))
    assert buffer.add(part("b", 1, 2)) == b"ab"


def test_an_empty_part_is_refused() -> None:
    buffer = ChunkBuffer(limit=100)
    buffer.add(part("a", 0, 3))
    with pytest.raises(RemoteProtocolError, match="empty"):
        buffer.add(part("", 1, 3))


def test_the_number_of_parts_is_bounded() -> None:
    buffer = ChunkBuffer(limit=10 * MAX_PARTS)
    assert buffer.add(part("a", 0, MAX_PARTS)) is None
    with pytest.raises(RemoteProtocolError, match="parts"):
        buffer.add(part("a", 0, MAX_PARTS + 1))


def test_the_parts_together_are_bounded() -> None:
    buffer = ChunkBuffer(limit=5)
    buffer.add(part("abc", 0, 1000))
    with pytest.raises(RemoteProtocolError, match="over 5"):
        buffer.add(part("def", 1, 1000))


@pytest.mark.parametrize("first", [part("x", 1, 3), part("x", 0, 0), part("x", 2, 3, "")])
def test_a_first_part_that_is_not_the_first_is_refused(first: TransitionChunk) -> None:
    with pytest.raises(RemoteProtocolError, match="part 0 of"):
        ChunkBuffer(limit=100).add(first)
