"""The codec beside orjson, msgspec, json and PyPI convex, under pytest-benchmark."""

from __future__ import annotations

from typing import Any

import pytest

from benches.payloads import all_payloads
from benches.ways import Ways, changes, decoding, encoding, frames, others

CASES: dict[str, Ways] = {}
for _name, _data in all_payloads().items():
    CASES[f"decode {_name}"] = decoding(_data)
    CASES[f"encode {_name}"] = encoding(_data)
CASES |= changes(1000) | frames() | others(1000)


@pytest.mark.parametrize(("case", "way"), [(case, way) for case in CASES for way in CASES[case]])
def test_codec(benchmark: Any, case: str, way: str) -> None:
    benchmark.group = case
    benchmark(CASES[case][way])
