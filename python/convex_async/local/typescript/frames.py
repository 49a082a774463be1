"""The frames that the deployment and a worker exchange.

A frame is a u32 (little-endian) length, a head line `TYPE RUN CALL [OP]`, and a payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

LENGTH = struct.Struct("<I")


def make_frame(head: str, *payload: bytes) -> bytes:
    """The bytes of a frame; `head` is without the newline."""
    body = b"".join((head.encode(), b"\n", *payload))
    return LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, int, int, str, bytes]]:
        """Type, run, call, operation and payload of each frame that is whole now."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data, at)
            start = at + LENGTH.size
            if size - start < length:
                break
            end = data.index(b"\n", start)
            kind, run, call, op = data[start:end].decode().split(" ")
            at = start + length
            yield kind, int(run), int(call), op, data[end + 1 : at]
        self._rest = data[at:]
