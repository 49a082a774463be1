"""Messages <-> frames."""

from __future__ import annotations

import msgspec

from convex_async import _codec
from convex_async.errors import RemoteProtocolError
from convex_async.protocol.chunks import ChunkBuffer
from convex_async.protocol.client.remote import Step
from convex_async.protocol.messages import ClientMessage, Ping, ServerMessage, TransitionChunk
from convex_async.protocol.results import Succeeded

_encoder = msgspec.json.Encoder()


_server_message: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


_client_message: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def encode_message(message: ClientMessage | ServerMessage) -> bytes:
    """The text frame of a message, in UTF-8."""
    return _encoder.encode(message)


def decode_server_message(frame: bytes) -> ServerMessage:
    """The message in a text frame from a deployment; its values are slices of `frame`.

    Raises:
        RemoteProtocolError: it is not JSON, not UTF-8, or not a message that a client knows.
    """
    try:
        return _server_message.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"a frame that is not a server message: {error}") from error


def decode_client_message(frame: bytes) -> ClientMessage:
    """The message in a text frame from a client; its values are slices of `frame`.

    Raises:
        RemoteProtocolError: it is not JSON, not UTF-8, or not a message that a server knows.
    """
    try:
        return _client_message.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"a frame that is not a client message: {error}") from error


class FrameDecoder:
    """Server messages out of the frames of one socket, transitions in parts put together.

    Args:
        limit: the most characters that the parts of one transition may have.
    """

    def __init__(self, *, limit: int) -> None:
        self._chunks = ChunkBuffer(limit=limit)
        self._is_between_parts = False

    def clear(self) -> None:
        """A new socket: forget the parts of the old one."""
        self._chunks.clear()
        self._is_between_parts = False

    def decode(self, frame: bytes) -> ServerMessage | Step | None:
        """The message that the frame completes; None for a part with others to come.

        A Transition of new values, spelled as deployments write it, comes as what it says. Its
        message is never made: making the objects of the envelope took as long as reading it. The
        values are cut out unread: one that is no JSON is refused to whoever decodes it.

        Raises:
            RemoteProtocolError: it is no server message, or a part out of turn.
        """
        change = _codec.read_transition(frame, Succeeded)
        if change is not None and not self._is_between_parts:
            return change
        message = change or decode_server_message(frame)
        # `isinstance` asks the metaclass of Structs, which takes a tenth of a small frame's time.
        if type(message) is TransitionChunk:
            return self._add(message)
        if self._is_between_parts and type(message) is not Ping:
            self.clear()
        return message

    def _add(self, part: TransitionChunk) -> ServerMessage | None:
        text = self._chunks.add(part)
        self._is_between_parts = text is None
        return None if text is None else decode_server_message(text)
