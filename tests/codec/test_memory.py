"""A million calls leave the process as large as it was."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import CodecError

TEXT = (
    b'[{"_id":"a","n":1.5,"s":"\xc3\xa9\xe2\x82\xac","u":"x\\n","i":{"$integer":"AQAAAAAAAAA="},'
    b'"b":{"$bytes":"AAE="},"f":{"$float":"AAAAAAAA8H8="},"l":[true,null,{}]}]'
)
VALUE: Any = codec.decode(TEXT)
OTHER = TEXT.replace(b"1.5", b"2.5")


def resident() -> int:
    """Bytes of memory that the process has in use, outside Python's own count too."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def refused() -> None:
    for text in (TEXT[:-2], b'[{"a":[1,2,{"$x":1}]}]', b'{"a":"\\ud800"}'):
        with pytest.raises(CodecError):
            codec.decode(text)
    with pytest.raises(CodecError):
        codec.encode({"a": [VALUE, {"b": object()}]})


def changes() -> None:
    differ = codec.ListDiffer()
    differ.next(TEXT)
    differ.next(OTHER)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("call", "times"),
    [
        (lambda: codec.decode(TEXT), 1_000_000),
        (lambda: codec.encode(VALUE), 300_000),
        (lambda: codec.to_plain_json(TEXT), 300_000),
        (changes, 100_000),
        (refused, 20_000),
    ],
    ids=["decode", "encode", "to_plain_json", "changes", "refused"],
)
def test_memory_stays_flat(call: Callable[[], object], times: int) -> None:
    for _ in range(times // 20):
        call()
    gc.collect()
    before = resident()
    for _ in range(times):
        call()
    gc.collect()
    # One byte lost a call would be a megabyte at the most; a lost object has 16 at least.
    assert resident() - before < max(times, 2_000_000)


def test_no_reference_is_lost_or_taken() -> None:
    tracemalloc.start()
    try:
        call_all()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        counts = [sys.getrefcount(one) for one in (None, True, VALUE, VALUE[0], TEXT)]
        for _ in range(2000):
            call_all()
        gc.collect()
        after = [sys.getrefcount(one) for one in (None, True, VALUE, VALUE[0], TEXT)]
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    assert [abs(one - other) < 100 for one, other in zip(counts, after, strict=True)] == [True] * 5


def call_all() -> None:
    codec.decode(TEXT)
    codec.encode(VALUE)
    codec.to_plain_json(TEXT)
    changes()
    refused()
