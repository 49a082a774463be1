"""Values <-> wire bytes and messages <-> frames; the only importer of the Rust extension."""

from __future__ import annotations

import msgspec

from convex_async.errors import RemoteProtocolError
from convex_async.protocol.messages import ClientMessage, ServerMessage

_encoder = msgspec.json.Encoder()
_server_message = msgspec.json.Decoder[ServerMessage](ServerMessage)
_client_message = msgspec.json.Decoder[ClientMessage](ClientMessage)


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
