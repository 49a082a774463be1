"""Random values and damaged texts: the Rust codec and the oracle have to agree on each."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import CodecError, InvalidValueError
from tests.codec import oracle
from tests.codec.random_values import damaged, document, respelled

# 4 batches of each test make 100,000 values; the seeds move on with CODEC_SEED.
BATCH = 25_000
SEED = int(os.environ.get("CODEC_SEED", "0"))
batches = pytest.mark.parametrize("batch", range(4))


def refused_or(call: Any, *args: Any) -> Any:
    """What the call gives, or None if it says that this is no value."""
    try:
        return ("value", oracle.identity(call(*args)))
    except (InvalidValueError, oracle.Refused):
        return None


def text_of(rng: random.Random) -> bytes:
    while True:
        try:
            return oracle.encode(document(rng))
        except oracle.Refused:
            pass


@batches
@pytest.mark.timeout(300)
def test_random_values_round_trip_as_in_the_oracle(batch: int) -> None:
    rng = random.Random(f"{SEED} values {batch}")
    for _ in range(BATCH):
        made = document(rng)
        text = refused_or(codec.encode, made)
        assert text == refused_or(oracle.encode, made)
        if text is not None:
            assert oracle.identity(codec.decode(codec.encode(made))) == oracle.identity(made)


@batches
@pytest.mark.timeout(300)
def test_damaged_texts_mean_the_same_to_both(batch: int) -> None:
    rng = random.Random(f"{SEED} damage {batch}")
    for _ in range(BATCH):
        text = damaged(rng, text_of(rng))
        assert refused_or(codec.decode, text) == refused_or(oracle.decode, text), text


@batches
@pytest.mark.timeout(300)
def test_plain_json_means_the_same_to_both(batch: int) -> None:
    rng = random.Random(f"{SEED} plain {batch}")
    for _ in range(BATCH // 2):
        text = respelled(rng, text_of(rng))
        if rng.random() < 0.3:
            text = damaged(rng, text)
        expected = refused_or(oracle.plain, text)
        try:
            plain = codec.to_plain_json(text)
        except InvalidValueError:
            assert expected is None, text
            continue
        if expected is not None:  # what is no JSON is copied unread
            assert refused_or(floats, plain) == expected, text


def floats(text: bytes) -> Any:
    return json.loads(text, parse_int=float)


@batches
@pytest.mark.timeout(300)
def test_same_is_equality_of_values(batch: int) -> None:
    rng = random.Random(f"{SEED} same {batch}")
    for _ in range(BATCH // 5):
        text = text_of(rng)
        assert codec.same(text, respelled(rng, text)), text
        other = text_of(rng) if rng.random() < 0.5 else damaged(rng, text)
        try:
            expected = oracle.identity(oracle.decode(text)) == oracle.identity(oracle.decode(other))
        except oracle.Refused:
            continue
        assert codec.same(text, other) is expected, (text, other)


def test_a_text_cut_anywhere_is_refused() -> None:
    text = codec.encode([{"a": 1.5, "b": "x\n", "c": b"abc"}, None, True, -12.25e30])
    for end in range(len(text)):
        with pytest.raises(CodecError) as caught:
            codec.decode(text[:end])
        assert caught.value.args[0].startswith("value")
