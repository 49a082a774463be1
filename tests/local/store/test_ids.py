"""Ids as Convex makes them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async.local.store.ids import ALPHABET, decode_id, encode_id, make_id, table_number

# Ids of deployments of Convex's own (convex-backend's public tests and documents).
REAL = {
    "nx70paj9d23tdhf40ch42r3zktyxrddc": (10031, "0b2a496887a6c5e4032241607f9ebddc"),
    "kg2dsa1sfhkmydncfvvtd2jgbx85rw9z": (540, "dca8397c674f36ac7ef7a68a505f505c"),
    "k570e9j5cj1t5gf0zwf3tq3vkawxhqr0": (10009, "0726456483a2c1e0ff1e3d5c7b9ab9d8"),
}


@pytest.mark.parametrize("document_id", REAL)
def test_ids_of_real_deployments(document_id: str) -> None:
    number, own = REAL[document_id]
    assert decode_id(document_id) == (number, bytes.fromhex(own))
    assert encode_id(number, bytes.fromhex(own)) == document_id


@given(st.integers(1, 2**32 - 1), st.binary(min_size=16, max_size=16))
def test_every_id_is_read_as_it_was_made(number: int, own: bytes) -> None:
    document_id = encode_id(number, own)
    assert 31 <= len(document_id) <= 37
    assert decode_id(document_id) == (number, own)


@given(st.randoms(use_true_random=False), st.data())
def test_another_character_makes_it_none(rng: random.Random, data: st.DataObject) -> None:
    document_id = make_id(10_001, rng)
    place = data.draw(st.integers(0, len(document_id) - 1))
    other = data.draw(st.sampled_from(ALPHABET.replace(document_id[place], "")))
    assert table_number(document_id[:place] + other + document_id[place + 1 :]) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "Invalid ID length 0"),
        ("0" * 30, "Invalid ID length 30"),
        ("0" * 38, "Invalid ID length 38"),
        ("é" * 20, "Invalid ID length 40"),
        ("i" * 32, "ID wasn't valid base32"),
        ("J57D6S1Z8S9T2V3W4X5Y6Z7A8B9C0D1E", "ID wasn't valid base32"),
        ("\u0660" * 16, "ID wasn't valid base32"),
        ("0" * 31, "Invalid table number"),
        ("z" * 32, "Invalid table number"),
        ("jd72k9x8nmgz5h3qawc4btep0n6y1fvr", "Invalid ID version 30911 (expected 3065)"),
        (None, "None is not a document id"),
        (b"nx70paj9d23tdhf40ch42r3zktyxrddc", "is not a document id"),
    ],
)
def test_what_is_no_id(wrong: object, told: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        decode_id(wrong)
    assert told in str(caught.value)
    assert table_number(wrong) is None


def test_more_after_an_id_or_another_spelling_of_it_is_none() -> None:
    document_id = make_id(1, random.Random(1))
    for longer in (document_id + "0", document_id + "00"):
        assert table_number(longer) is None
    # 31 characters hold 155 bits of which 152 count: the last ones have to be 0.
    last = ALPHABET[ALPHABET.index(document_id[-1]) | 1]
    assert table_number(document_id[:-1] + last) is None
