"""Frames of one socket: which of them go between the parts of a transition, and which end it."""

from __future__ import annotations

import pytest

from convex_async import ConvexClient
from convex_async.errors import RemoteProtocolError
from convex_async.local import LocalDeployment
from convex_async.protocol.frames import FrameDecoder, encode_message
from convex_async.protocol.messages import (
    INITIAL_VERSION,
    FatalError,
    Ping,
    Transition,
    TransitionChunk,
)
from tests.protocol.wire import Server, updated

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


@pytest.mark.trap(37)
async def test_parts_are_put_together_all_the_same(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    """A deployment that sends parts unasked is understood."""
    deployment.faults.chunk_size = 20
    await client.mutation("notes:add", {"text": "in parts"})
    assert [note["text"] for note in await client.query("notes:list")] == ["in parts"]
    assert client.state.connection_count == 1


def parts(frame: bytes) -> list[bytes]:
    """A transition in two parts, under the id that the deployment gives it: its length."""
    text = frame.decode()
    halves = text[:50], text[50:]
    return [
        encode_message(TransitionChunk(half, n, 2, str(len(text)))) for n, half in enumerate(halves)
    ]


@pytest.mark.trap(38)
@pytest.mark.parametrize("lost", [False, True], ids=["whole", "interrupted"])
def test_transitions_of_equal_length_are_not_mixed_up(lost: bool) -> None:
    """The id of the parts is a length and no key: part 0 always begins anew."""
    one, two = (Server().transition(updated(0, value), ts=5) for value in (b"1", b"2"))
    first, second = parts(encode_message(one)), parts(encode_message(two))
    decoder = FrameDecoder(limit=10_000)
    decoded = [decoder.decode(part) for part in first[: 1 if lost else 2] + second]
    assert decoded == ([None, None, two] if lost else [None, one, None, two])
