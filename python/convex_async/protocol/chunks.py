"""Putting together a transition that the deployment sent in parts."""

from __future__ import annotations

from collections.abc import Iterator

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.messages import (
    TransitionChunk,
)

# Parts of one transition: far more than a frame of the largest size is cut into. Each is kept until
# the last is there, which costs more than its characters.
MAX_PARTS = 2**14


class ChunkBuffer:
    """The parts of one transition so far.

    Source: convex-js src/browser/sync/web_socket_manager.ts, `assembleTransition`. The id is the
    length of the text, not a key: a part 0 always begins a new buffer.

    Args:
        limit: the most characters that the parts may have together.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._size = 0
        self._total = 0
        self._transition_id = ""

    def clear(self) -> None:
        """Forget the parts: another message came between, or the socket went."""
        self._parts = []
        self._size = 0

    def add(self, chunk: TransitionChunk) -> bytes | None:
        """The whole text, in UTF-8, once its last part is there.

        Raises:
            RemoteProtocolError: the part does not continue what came before, or is too much.
        """
        if chunk.part_number == 0:
            self.clear()
            if chunk.total_parts > MAX_PARTS:
                raise RemoteProtocolError(f"a transition in over {MAX_PARTS} parts")
            self._total, self._transition_id = chunk.total_parts, chunk.transition_id
        expected = (len(self._parts), self._total, self._transition_id)
        if (chunk.part_number, chunk.total_parts, chunk.transition_id) != expected or (
            chunk.part_number >= chunk.total_parts
        ):
            self.clear()
            raise RemoteProtocolError(
                f"part {chunk.part_number} of {chunk.total_parts} of a transition, "
                f"where part {expected[0]} of {expected[1]} was due"
            )
        if not chunk.chunk:
            self.clear()
            raise RemoteProtocolError("an empty part of a transition")
        self._size += len(chunk.chunk)
        if self._size > self._limit:
            self.clear()
            raise RemoteProtocolError(f"a transition of over {self._limit} characters")
        self._parts.append(chunk.chunk)
        if len(self._parts) < self._total:
            return None
        text = "".join(self._parts)
        self.clear()
        return text.encode()


def cut(text: bytes, size: int) -> Iterator[str]:
    """UTF-8 text in pieces of at most `size` bytes, but of a character at least."""
    start = 0
    while start < len(text):
        end = start + size
        while end > start and _is_within_character(text, end):
            end -= 1
        if end == start:
            end += 1
            while _is_within_character(text, end):
                end += 1
        yield text[start:end].decode()
        start = end


def _is_within_character(text: bytes, at: int) -> bool:
    return at < len(text) and text[at] & 0xC0 == 0x80
