"""Document ids as Convex makes them (version 6): they tell their table and check themselves.

An id is the number of its table (1 to 5 bytes of 7 bits, the low ones first), 16 bytes of its own,
and a checksum of 2 bytes; all in Crockford's base32, in lower case.

Source: convex-backend crates/value/src/id_v6.rs and base32.rs.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE32 = re.compile(f"[{ALPHABET}]+", re.ASCII)
_TO_INT = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_OWN = 16
_SHORTEST, _LONGEST = 31, 37
MAX_TABLE_NUMBER = 2**32 - 1


def make_id(table_number: int, rng: random.Random) -> str:
    """A new id of a table."""
    return encode_id(table_number, rng.randbytes(_OWN))


def encode_id(table_number: int, own: bytes) -> str:
    """The id of these parts."""
    body = _varint(table_number) + own
    data = body + _checksum(body)
    length = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big") << (length * 5 - len(data) * 8)
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(length - 1, -1, -1))


def decode_id(document_id: object) -> tuple[int, bytes]:
    """The number of the table that an id belongs to, and its own 16 bytes.

    Raises:
        ValueError: it is no id; the text is Convex's.
    """
    if not isinstance(document_id, str):
        raise ValueError(f"{document_id!r} is not a document id")
    return _decode(document_id)


@lru_cache(maxsize=4096)
def _decode(document_id: str) -> tuple[int, bytes]:
    length = len(document_id.encode())
    wrong_length = f"Unable to decode ID: Invalid ID length {length}"
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(wrong_length)
    if not _BASE32.fullmatch(document_id):
        raise ValueError("Unable to decode ID: ID wasn't valid base32")
    number = int(document_id.translate(_TO_INT), 32)
    size = length * 5 // 8
    data = (number >> (length * 5 - size * 8)).to_bytes(size, "big")
    table_number, read = _read_varint(data)
    body, footer = data[: read + _OWN], data[read + _OWN : read + _OWN + 2]
    if len(footer) != 2:
        raise ValueError(wrong_length)
    if footer != (expected := _checksum(body)):
        raise ValueError(
            f"Unable to decode ID: Invalid ID version {int.from_bytes(footer, 'little')} "
            f"(expected {int.from_bytes(expected, 'little')})"
        )
    own = body[read:]
    if encode_id(table_number, own) != document_id:
        raise ValueError(wrong_length)  # there is more, or another spelling of it
    return table_number, own


def table_number(document_id: object) -> int | None:
    """The number of the table that an id belongs to; None if it is no id."""
    try:
        return decode_id(document_id)[0]
    except ValueError:
        return None


def _varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def _read_varint(data: bytes) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(data[:5]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if 0 < number <= MAX_TABLE_NUMBER:
                return number, place + 1
            break
    raise ValueError("Unable to decode ID: Invalid table number")


def _checksum(body: bytes) -> bytes:
    """Fletcher-16 modulo 256, in little-endian."""
    low = high = 0
    for byte in body:
        low = (low + byte) & 0xFF
        high = (high + low) & 0xFF
    return bytes([low, high])
