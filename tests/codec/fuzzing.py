"""What must hold for any text, whoever makes it up."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from convex_async import codec
from convex_async.errors import InvalidValueError
from tests.codec import oracle


def check(text: bytes) -> bytes | None:
    """Raise AssertionError if the codec and the oracle differ about a text.

    Returns:
        its canonical spelling; None if it is no value.
    """
    try:
        value: Any = codec.decode(text)
    except InvalidValueError:
        assert refused_by_oracle(text), "a value was refused"
        # What is not checked may be read as something, but must not fail otherwise.
        for call in (codec.to_plain_json, codec.ListDiffer().next):
            with suppress(InvalidValueError, TypeError):
                call(text)
        return None
    assert oracle.identity(value) == oracle.identity(oracle.decode(text))
    canonical = codec.encode(value)
    assert canonical == oracle.encode(value)
    assert codec.encode(codec.decode(canonical)) == canonical
    assert codec.same(text, canonical)
    assert codec.same(codec.to_plain_json(text), codec.to_plain_json(canonical)) or b"$" in text
    with suppress(TypeError):
        diff = codec.diff(text, canonical)
        assert not diff, diff
    return canonical


def refused_by_oracle(text: bytes) -> bool:
    try:
        oracle.decode(text)
    except oracle.Refused:
        return True
    return False
