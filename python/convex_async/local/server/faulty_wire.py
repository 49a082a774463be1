"""The wire as the fault switches have it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from convex_async.local.server.faults import Faults
from convex_async.protocol.chunks import cut
from convex_async.protocol.frames import encode_message
from convex_async.protocol.messages import (
    ActionResponse,
    MutationResponse,
    ServerMessage,
    StateVersion,
    Transition,
    TransitionChunk,
    parse_timestamp,
)

# Bytes of a transition over which a client that can put it together gets it in parts, each of
# so many bytes.
CHUNK_SIZE = 5_000_000


class FaultyWire:
    """What one socket sends, put through the switches.

    Args:
        chunks: whether the client can put together a transition that comes in parts.
        schedule_transition: called when one has to follow.
    """

    def __init__(
        self, faults: Faults, *, chunks: bool, schedule_transition: Callable[[], None]
    ) -> None:
        self._faults = faults
        self._chunks = chunks
        self._schedule_transition = schedule_transition
        self._skew_next = False
        self._held: list[MutationResponse | ActionResponse] = []

    def skew_version(self) -> None:
        """Let the next transition start at a wrong version."""
        self._skew_next = True

    def frames(self, messages: list[ServerMessage]) -> Iterator[bytes]:
        """The texts to send for these messages."""
        for message in self._with_faults(messages):
            yield from self._parts(message)

    def _with_faults(self, messages: list[ServerMessage]) -> Iterator[ServerMessage]:
        """The messages doubled, in another order, or wrong."""
        for message in messages:
            match message:
                case MutationResponse() | ActionResponse():
                    copies = [message] * (2 if self._faults.duplicate_responses else 1)
                    if self._faults.transition_first:
                        self._held += copies
                    else:
                        yield from copies
                case Transition(start, end, modifications) if self._skew_next:
                    self._skew_next = False
                    wrong = StateVersion(start.query_set + 7, start.identity, start.ts)
                    yield Transition(wrong, end, modifications)
                case _:
                    yield message
            if isinstance(message, Transition):
                yield from self._released(message)

    def _released(self, transition: Transition) -> Sequence[ServerMessage]:
        """The responses that were held back until this transition, which shows what they did."""
        shown = parse_timestamp(transition.end_version.ts)
        released = [held for held in self._held if _commit_ts(held) <= shown]
        self._held = [held for held in self._held if _commit_ts(held) > shown]
        if released:
            # As after every response; npm's client waits for it.
            self._schedule_transition()
        return released

    def _parts(self, message: ServerMessage) -> list[bytes]:
        frame = encode_message(message)
        size = self._faults.chunk_size or CHUNK_SIZE
        chunks = self._chunks or self._faults.chunk_size is not None
        if not chunks or not isinstance(message, Transition) or len(frame) <= size:
            return [frame]
        pieces = list(cut(frame, size))
        return [
            encode_message(TransitionChunk(piece, number, len(pieces), str(len(frame))))
            for number, piece in enumerate(pieces)
        ]


def _commit_ts(response: MutationResponse | ActionResponse) -> int:
    """The commit of a mutation; 0 of what committed nothing."""
    if isinstance(response, ActionResponse) or response.ts is None:
        return 0
    return parse_timestamp(response.ts)
