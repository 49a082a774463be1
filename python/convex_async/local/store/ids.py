"""Document ids: 32 characters that tell their table and check themselves."""

from __future__ import annotations

import random

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = {character: digit for digit, character in enumerate(ALPHABET)}
_LENGTH = 32  # five bits each: 2 bytes of table number, 16 of randomness, 2 of checksum


def make_id(table_number: int, rng: random.Random) -> str:
    """A new id of a table."""
    body = table_number.to_bytes(2, "big") + rng.randbytes(16)
    number = int.from_bytes(body + _checksum(body), "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))


def table_number(document_id: object) -> int | None:
    """The number of the table that an id belongs to; None if it is no id."""
    if not isinstance(document_id, str) or len(document_id) != _LENGTH:
        return None
    number = 0
    for character in document_id:
        digit = _DIGITS.get(character)
        if digit is None:
            return None
        number = number << 5 | digit
    data = number.to_bytes(20, "big")
    body, check = data[:-2], data[-2:]
    return int.from_bytes(body[:2], "big") if check == _checksum(body) else None


def _checksum(body: bytes) -> bytes:
    low = high = 0
    for byte in body:
        low = (low + byte) % 255
        high = (high + low) % 255
    return bytes([high, low])
