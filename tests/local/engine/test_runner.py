"""The arguments that a message carries."""

from __future__ import annotations

import pytest

from convex_async.local.engine.runner import read_args
from convex_async.local.problems import FunctionProblem


@pytest.mark.parametrize(
    ("raw", "args"), [(b"[]", b"{}"), (b"", b"{}"), (b'[{"a": 1}]', b'{"a": 1}')]
)
def test_a_function_takes_one_object(raw: bytes, args: bytes) -> None:
    assert read_args(raw) == args


def test_two_are_refused() -> None:
    with pytest.raises(FunctionProblem):
        read_args(b"[{}, {}]")
