"""The recorded vectors, through the Rust codec and through the oracle."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Container
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import CodecError
from convex_async.function_path import canonical_path
from tests.codec import oracle
from tests.codec.cases import VECTORS, cases, evaluate, untag, wire

Decode = Callable[[bytes], Any]


def by_name(name: str, *, without: Container[str] = ()) -> pytest.MarkDecorator:
    loaded = [case for case in cases(name) if case["name"] not in without]
    return pytest.mark.parametrize("case", loaded, ids=[case["name"] for case in loaded])


both = pytest.mark.parametrize("decode", [codec.decode, oracle.decode], ids=["rust", "oracle"])


@both
@by_name("decode_valid")
def test_valid_text_decodes_to_its_value(case: dict[str, Any], decode: Decode) -> None:
    assert oracle.identity(decode(wire(case))) == oracle.identity(untag(case["value"]))


@pytest.mark.parametrize("encode", [codec.encode, oracle.encode], ids=["rust", "oracle"])
@by_name("decode_valid")
def test_decoded_values_encode_canonically(
    case: dict[str, Any], encode: Callable[[Any], bytes]
) -> None:
    text = encode(untag(case["value"]))
    if "canonical" in case:
        assert text == case["canonical"].encode()
    assert oracle.identity(codec.decode(text)) == oracle.identity(untag(case["value"]))


@by_name("decode_invalid")
def test_invalid_text_is_refused_with_its_place(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the class is asserted below
        codec.decode(wire(case), root="result")
    assert isinstance(caught.value, CodecError)
    assert caught.value.path.startswith("result")
    assert caught.value.offset is not None
    assert caught.value.offset <= len(wire(case))


@by_name("decode_invalid")
def test_the_oracle_refuses_invalid_text(case: dict[str, Any]) -> None:
    with pytest.raises(oracle.Refused):
        oracle.decode(wire(case))


@by_name("encode_valid")
def test_python_values_encode_as_wanted(case: dict[str, Any]) -> None:
    # Vectors read a dataclass and numpy scalars as they like; the rest is byte for byte.
    assert codec.encode(evaluate(case["expr"])).decode() == case["want"]


# The official clients refuse a dataclass; here it is an object, as other structures are.
ACCEPTED = {"py-dataclass"}


@by_name("encode_invalid", without=ACCEPTED)
def test_python_values_without_a_form_are_refused(case: dict[str, Any]) -> None:
    expected = getattr(builtins, case["want_error"])
    with pytest.raises((expected, AttributeError)):
        codec.encode(evaluate(case["expr"]))


@by_name("canonical")
def test_canonical_text_is_the_identity_of_a_subscription(case: dict[str, Any]) -> None:
    def identity(call: dict[str, str]) -> tuple[str, bytes]:
        return canonical_path(call["path"]), codec.encode_arguments(evaluate(call["args"]))

    assert (identity(case["a"]) == identity(case["b"])) is case["want_same"]


@pytest.mark.parametrize("path", sorted((VECTORS / "payloads").iterdir()), ids=lambda p: p.stem)
def test_payloads_agree_with_the_oracle(path: Any) -> None:
    data = path.read_bytes()
    expected = oracle.decode(data)
    assert oracle.identity(codec.decode(data)) == oracle.identity(expected)
    assert codec.encode(codec.decode(data)) == oracle.encode(expected)
