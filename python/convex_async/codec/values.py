"""Values <-> wire bytes and messages <-> frames; the only importer of the Rust extension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from convex_async import _codec
from convex_async.errors import RemoteProtocolError, UnsupportedTypeError
from convex_async.protocol.chunks import ChunkBuffer
from convex_async.protocol.client.remote import Change
from convex_async.protocol.messages import ClientMessage, Ping, ServerMessage, TransitionChunk

# Containers within containers. The positional wrapper of the arguments is one of them
# (convex-backend crates/value: MAX_NESTING).
MAX_DEPTH = 64

_encoder = msgspec.json.Encoder()
_server_message: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_client_message: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


# Values


# The extension's own functions, documented there: a call of a Python function around one takes
# half as long as decoding a small document.
encode = _codec.encode
decode = _codec.decode


def encode_arguments(args: Mapping[str, Any] | None) -> bytes:
    """The canonical wire bytes of a call's arguments; None is no arguments.

    Raises:
        UnsupportedTypeError: the arguments are no mapping, or a part has no Convex form.
        InvalidValueError: as `encode`; the path begins with `args`.
    """
    if args is None:
        return b"{}"
    if type(args) is not dict and not isinstance(args, Mapping):
        raise UnsupportedTypeError(
            f"args: the arguments are a mapping of names to values, not {type(args).__name__}",
            path="args",
        )
    return encode(args, root="args", max_depth=MAX_DEPTH - 1)


def to_plain_json(data: bytes) -> bytes:
    """Wire bytes as plain JSON: int64 as a decimal string, bytes as a base64 string, NaN and the
    infinities as strings of those names, as Convex's own `json` format has them.

    All else stays as it is written, unread: the text has to be JSON, as a deployment's values
    are. A text without any of these values is given back itself.

    Raises:
        InvalidValueError: a tagged value is malformed, or a field name begins with `$`.
    """
    return _codec.to_plain_json(data)


class Diff(msgspec.Struct, frozen=True):
    """What differs between two lists of documents.

    Attributes:
        inserted: documents whose key is new, in the order of the list.
        updated: documents that differ from what they were, in the order of the list.
        deleted: the last value of each document that is gone, by its key.
        moved: the keys of documents that changed their place among the ones that stayed.
    """

    inserted: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    deleted: dict[Any, dict[str, Any]]
    moved: list[Any]

    def __bool__(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted or self.moved)


class ListDiffer:
    """Tells, text by text, what changed in a list of documents, and decodes only that.

    It keeps the last text, where its documents are, and their keys. Documents that two texts
    have in common, byte for byte and in order, cost a comparison of memory.

    Args:
        key: the field that tells documents apart; any value but an array or an object.
        at: the fields that lead from the value to the list.
    """

    def __init__(self, *, key: str = "_id", at: Sequence[str] = ()) -> None:
        self._differ = _codec.Differ(key, list(at))

    def next(self, current: bytes) -> Diff:
        """What changed since the last text; before the first, everything is inserted.

        Raises:
            TypeError: it is no list of objects with that field, or a key stands there twice;
                the last text stays the one before.
            InvalidValueError: a part that had to be decoded is no Convex value.
        """
        return Diff(*self._differ.next(current))


def diff(
    previous: bytes | None, current: bytes, *, key: str = "_id", at: Sequence[str] = ()
) -> Diff:
    """Compare two wire texts of a list of documents, decoding only those that differ.

    For a series of texts, a `ListDiffer` is many times faster: it knows the one before.

    Args:
        previous: None if there was nothing before.
        current: the wire text after.
        key: the field that tells documents apart.
        at: the fields that lead from the value to the list.

    Raises:
        TypeError: it is no list of objects with that field, or a key stands there twice.
        InvalidValueError: a part that had to be decoded is no Convex value.
    """
    differ = _codec.Differ(key, list(at))
    if previous is not None:
        differ.start(previous)
    return Diff(*differ.next(current))


def changed_fields(previous: bytes, current: bytes) -> tuple[dict[str, Any], list[str]]:
    """The fields of an object that are new or differ, with their values, and the names gone.

    Raises:
        TypeError: one of them is no object.
        InvalidValueError: one of them is no Convex value.
    """
    return _codec.changed_fields(previous, current)


def same(one: bytes, other: bytes) -> bool:
    """Whether two wire texts are one Convex value, however they are spelled.

    Raises:
        InvalidValueError: they differ, and one of them is no Convex value.
    """
    return _codec.same(one, other)


def convex_to_json(value: object) -> Any:
    """The JSON-able form of a Convex value, under the name that PyPI `convex` has for it."""
    return msgspec.json.decode(encode(value))


def json_to_convex(value: object) -> Any:
    """The Convex value of a JSON-able form, under the name that PyPI `convex` has for it."""
    return decode(msgspec.json.encode(value))


# Frames


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

    def decode(self, frame: bytes) -> ServerMessage | Change | None:
        """The message that the frame completes; None for a part with others to come.

        A Transition of new values, spelled as deployments write it, comes as what it says. Its
        message is never made: making the objects of the envelope took as long as reading it. The
        values are cut out unread: one that is no JSON is refused to whoever decodes it.

        Raises:
            RemoteProtocolError: it is no server message, or a part out of turn.
        """
        change = _codec.read_transition(frame)
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
