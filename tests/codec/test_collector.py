"""The cyclic garbage collector stays away while a value is made, and is as it was afterwards."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import CodecError

# Each document holds another container, so that the collector has to look at both.
TEXT = b"[" + b",".join(b'{"_id":"%d","tags":["a"]}' % n for n in range(20_000)) + b"]"


@pytest.fixture
def collections() -> Iterator[list[str]]:
    """Every collection from here on."""
    seen: list[str] = []

    def note(phase: str, _: dict[str, Any]) -> None:
        seen.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


@pytest.mark.parametrize(
    "make",
    [lambda: codec.decode(TEXT), lambda: codec.diff(None, TEXT)],
    ids=["decode", "diff"],
)
def test_no_collection_runs_within_a_call(
    make: Callable[[], object], collections: list[str]
) -> None:
    made = make()
    during = list(collections)
    assert made
    # One may be due as soon as the call returns.
    assert during.count("start") <= 1


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("text", [b'[{"a":1}]', b'[{"a":1}', b"[1]"])
def test_the_collector_is_as_it_was(enabled: bool, text: bytes) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        for call in (codec.decode, codec.ListDiffer().next):
            with suppress(CodecError, TypeError):
                call(text)
            assert gc.isenabled() is enabled
    finally:
        gc.enable()
