"""`$bytes` against the standard library, over the lengths at which the SIMD paths change."""

from __future__ import annotations

import itertools
import random
from base64 import b64encode

import pytest

from convex_async import codec
from convex_async.errors import InvalidValueError
from tests.codec import oracle

LENGTHS = [*range(140), 191, 192, 193, 255, 256, 257, 1000, 4609]


def wire(payload: bytes) -> bytes:
    return b'{"$bytes":"%s"}' % payload


def is_refused(payload: bytes) -> bool:
    with pytest.raises(InvalidValueError) as in_decode:
        codec.decode(wire(payload))
    with pytest.raises(InvalidValueError):
        codec.to_plain_json(wire(payload))
    return "base64" in str(in_decode.value)


@pytest.mark.parametrize("length", LENGTHS)
def test_bytes_of_each_length_there_and_back(length: int) -> None:
    data = random.Random(length).randbytes(length)
    text = wire(b64encode(data))
    assert codec.encode(data) == text
    assert codec.decode(text) == data
    assert codec.to_plain_json(text) == b'"%s"' % b64encode(data)


@pytest.mark.parametrize("length", [6, 36, 100, 256])
def test_a_wrong_character_before_the_last_group_is_refused(length: int) -> None:
    good = b64encode(random.Random(length).randbytes(length))
    for place, wrong in itertools.product(range(len(good) - 4), (b"-", b"=", b" ", b"\x7f")):
        assert is_refused(good[:place] + wrong + good[place + 1 :]), place
    assert is_refused(b64encode(b"x") + good)


def test_the_last_group_is_read_as_the_oracle_reads_it() -> None:
    for group in itertools.product(b"AQghw+/=", repeat=4):
        payload = b"AAAA" + bytes(group)
        try:
            expected = oracle.decode(wire(payload))
        except oracle.Refused:
            assert is_refused(payload), payload
        else:
            assert codec.decode(wire(payload)) == expected, payload
    for length in (1, 2, 3, 5):
        assert is_refused(b"AAAAA"[:length])
