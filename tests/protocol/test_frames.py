"""Frames of one socket: which of them go between the parts of a transition, and which end it."""

from __future__ import annotations

import pytest

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.frames import FrameDecoder, encode_message
from convex_async.protocol.messages import (
    INITIAL_VERSION,
    FatalError,
    Ping,
    Transition,
    TransitionChunk,
)

PING = encode_message(Ping())
WHOLE = FatalError("it is over")
TEXT = encode_message(WHOLE).decode()
FIRST = encode_message(TransitionChunk(TEXT[:10], 0, 2, "9"))
LAST = encode_message(TransitionChunk(TEXT[10:], 1, 2, "9"))


@pytest.fixture
def decoder() -> FrameDecoder:
    return FrameDecoder(limit=len(TEXT))


def test_the_last_part_gives_the_message(decoder: FrameDecoder) -> None:
    assert decoder.decode(FIRST) is None
    assert decoder.decode(LAST) == WHOLE


def test_a_ping_may_come_between_parts(decoder: FrameDecoder) -> None:
    decoder.decode(FIRST)
    assert decoder.decode(PING) == Ping()
    assert decoder.decode(LAST) == WHOLE


def test_any_other_message_discards_the_parts(decoder: FrameDecoder) -> None:
    decoder.decode(FIRST)
    assert decoder.decode(TEXT.encode()) == WHOLE
    with pytest.raises(RemoteProtocolError, match="part 1 of 2"):
        decoder.decode(LAST)


def test_a_transition_that_is_read_directly_discards_the_parts_too(decoder: FrameDecoder) -> None:
    whole = encode_message(Transition(INITIAL_VERSION, INITIAL_VERSION, []))
    decoder.decode(FIRST)
    assert decoder.decode(whole) == ((0, 0, 0), (0, 0, 0), ())
    with pytest.raises(RemoteProtocolError, match="part 1 of 2"):
        decoder.decode(LAST)


def test_a_new_socket_knows_no_parts_of_the_old_one(decoder: FrameDecoder) -> None:
    decoder.decode(FIRST)
    decoder.clear()
    with pytest.raises(RemoteProtocolError, match="part 1 of 2"):
        decoder.decode(LAST)


def test_the_parts_may_not_exceed_the_limit() -> None:
    decoder = FrameDecoder(limit=len(TEXT) - 1)
    decoder.decode(FIRST)
    with pytest.raises(RemoteProtocolError, match="over"):
        decoder.decode(LAST)
