"""What each way through the interpreter's insides is worth, beside the public way.

Of a way that is worth less than 3 % nothing stays (`rust/codec/src/layout.rs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benches.payloads import RECORDED
from convex_async import _codec, codec

PROVED = tuple(_codec.fast_ways())
CASES = {
    "ints": [("decode", "int64_analytics")],
    "strings": [("encode", "small_document"), ("encode", "chat_messages_100")],
    "dicts": [("decode", "small_document"), ("decode", "chat_messages_100")],
}


@pytest.fixture(autouse=True)
def all_ways() -> Iterator[None]:
    yield
    _codec.fast_ways(PROVED)


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "public"])
@pytest.mark.parametrize(
    ("way", "what", "name"), [(way, *case) for way in PROVED for case in CASES[way]]
)
def test_way(benchmark: Any, way: str, what: str, name: str, is_fast: bool) -> None:
    benchmark.group = f"{way}: {what} {name}"
    data = (RECORDED / f"{name}.json").read_bytes()
    value = codec.decode(data)
    _codec.fast_ways([other for other in PROVED if is_fast or other != way])
    if what == "decode":
        benchmark(codec.decode, data)
    else:
        benchmark(codec.encode, value)
