"""Encoding what the vectors do not have: the user's own code, structures, and shared keys."""

from __future__ import annotations

import collections.abc
import dataclasses
import math
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pydantic
import pytest

from convex_async import codec
from convex_async.codec import encode_arguments
from convex_async.errors import CodecError, InvalidValueError, UnsupportedTypeError
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet
from tests.codec import oracle


class Struct(msgspec.Struct):
    b: int
    a: str


@dataclasses.dataclass
class Data:
    b: int
    a: str


class Model(pydantic.BaseModel):
    b: int
    a: str


@pytest.mark.parametrize("value", [Struct(1, "x"), Data(1, "x"), Model(b=1, a="x")])
def test_structures_are_objects(value: Any) -> None:
    assert codec.encode(value) == b'{"a":"x","b":1}'


def test_set_and_map_are_arrays() -> None:
    assert codec.encode(ConvexSet([[1], {"a": 2}])) == b'[[1],{"a":2}]'
    assert codec.encode(ConvexMap([([1], "x")])) == b'[[[1],"x"]]'


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"items": [1, {"price": object()}]}, "args.items[1].price"),
        ({"a b": {1}}, 'args["a b"]'),
        ([[set()]], "args[0][0]"),
    ],
)
def test_a_type_without_a_form_is_told_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(UnsupportedTypeError) as caught:
        codec.encode(value, root="args")
    assert caught.value.path == path


@pytest.mark.parametrize(
    "value",
    ["\ud800", "\ud83d\ude00", {"\udc00": 1}, {"$a": 1}, {"é": 1}, {"x" * 1025: 1}, 2**53 + 1],
)
def test_a_value_out_of_bounds_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError):
        codec.encode(value)


def test_the_arguments_object_has_one_level_less() -> None:
    def nested(levels: int) -> Any:
        value: Any = None
        for _ in range(levels):
            value = [value]
        return value

    codec.encode_arguments({"a": nested(62)})
    with pytest.raises(InvalidValueError, match="nested more than 63 deep"):
        codec.encode_arguments({"a": nested(63)})
    with pytest.raises(UnsupportedTypeError, match="mapping"):
        codec.encode_arguments([])  # type: ignore[arg-type]


class Meddler(collections.abc.Sequence[Any]):
    """A sequence that changes the dict it is in, and encodes, while it is encoded."""

    def __init__(self, home: dict[str, Any]) -> None:
        self.home = home

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise IndexError

    def __iter__(self) -> Iterator[Any]:
        self.home.clear()
        self.home.update({f"k{n}": n for n in range(100)})
        assert codec.encode({"b": [1], "a": {"c": None}}) == b'{"a":{"c":null},"b":[1]}'
        return iter(["done"])


def test_a_dict_that_changes_meanwhile_is_sent_as_it_was() -> None:
    home: dict[str, Any] = {}
    home.update({"a": Meddler(home), "b": 1, "c": [2]})
    assert codec.encode(home) == b'{"a":["done"],"b":1,"c":[2]}'
    assert len(home) == 100


def test_dicts_around_one_that_changes_are_sent_as_they_were() -> None:
    home: dict[str, Any] = {}
    fresh = {f"k{n}": [f"text {n}", float(n)] for n in range(50)}
    home.update({"b": {"y": [Meddler(home)], "z": "".join(["l", "ast"])}, "c": fresh, "a": "x" * 9})
    expected = codec.encode({**home, "b": {"y": [["done"]], "z": "last"}})
    del fresh
    assert codec.encode([home]) == b"[" + expected + b"]"


def test_what_the_users_own_code_raises_comes_out() -> None:
    class Broken(collections.abc.Sequence[Any]):
        def __len__(self) -> int:
            raise RuntimeError("mine")

        def __getitem__(self, index: Any) -> Any:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        codec.encode({"a": [Broken()]})
    assert codec.encode({"a": [1]}) == b'{"a":[1]}'  # what it left behind does no harm


def test_keys_that_look_alike_are_not_mixed_up() -> None:
    for number in range(3000):
        name = f"key{number}"
        assert codec.encode({name: 1, "a": 2}) == f'{{"a":2,"{name}":1}}'.encode()
        assert codec.decode(f'{{"{name}":1,"a":2}}'.encode()) == {name: 1.0, "a": 2.0}


class Twin(str):
    """A name that equals no other, so that a dict takes it twice."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def test_a_name_that_stands_there_twice_is_refused() -> None:
    for name in ("a", "a_name_longer_than_sixteen"):
        with pytest.raises(InvalidValueError, match="twice"):
            codec.encode({Twin(name): 1, Twin(name): 2})


@pytest.mark.parametrize("key", [None, 1, b"a", ("a",)])
def test_a_key_that_is_no_name_is_refused(key: Any) -> None:
    with pytest.raises(InvalidValueError, match="not a str"):
        codec.encode({"a name that nothing has followed yet": 1, key: 1})


def test_names_are_sorted_wherever_they_differ() -> None:
    rng = random.Random(5)
    names = ["n" * length + end for length in range(70) for end in ("", "a", "b", "~", " ")]
    for size in (2, 5, 40, len(names)):
        for _ in range(20):
            some = rng.sample(names, size)
            assert codec.encode(dict.fromkeys(some)) == oracle.encode(dict.fromkeys(some))


def test_floats_are_written_as_javascript_writes_them() -> None:
    rng = random.Random(7)
    edges = [1e-7, 1e-6, 9.999999e-6, 1e-5, 0.1, 1e15, 2.0**53, 1e20, 1e21]
    near = [math.nextafter(edge, way) for edge in edges for way in (0, math.inf)]
    spread = [rng.uniform(-10, 10) * 10.0 ** rng.randrange(-9, 23) for _ in range(10_000)]
    short = [rng.randrange(10**9) / 10 ** rng.randrange(12) for _ in range(10_000)]
    for number in (*edges, *near, *spread, *short):
        assert codec.encode(number).decode() == oracle.ecmascript(number)


def test_specials_are_escaped_wherever_they_stand() -> None:
    for length in range(40):
        for at in range(length):
            for special in '"\\\n\r\t\b\f\x00\x1f':
                text = "x" * at + special + "é" * (length % 3) + "x" * (length - at)
                assert codec.encode(text) == oracle.encode(text)
                assert codec.encode(special + text) == oracle.encode(special + text)


def test_threads_do_not_get_into_each_others_work() -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(3000):
                value = {
                    f"t{seed}": [float(number)],
                    "z": {"n": ConvexInt64(seed)},
                    "a": "x" * seed,
                }
                assert codec.decode(codec.encode(value)) == value
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert not failures


@pytest.mark.parametrize("number", [-(2**63), -(2**60), -(2**30), -1, 0, 1, 2**30 - 1, 2**30])
def test_decoded_int64_are_ints_in_every_respect(number: int) -> None:
    made = codec.decode(codec.encode(ConvexInt64(number)))
    assert type(made) is ConvexInt64
    assert made == number
    assert hash(made) == hash(number)
    assert (made // 7, made & 255, f"{made}") == (number // 7, number & 255, f"{number}")
    assert repr(made) == f"ConvexInt64({number})"
    assert codec.encode(made) == codec.encode(ConvexInt64(number))


@pytest.mark.parametrize(
    "value", [np.int64(5), np.float32(0.5), np.bool_(True), np.str_("x"), np.float64(2.5)]
)
def test_numpy_scalars_are_their_python_values(value: Any) -> None:
    assert codec.encode(value) == codec.encode(value.item())


@pytest.mark.parametrize("value", [np.zeros(2), np.datetime64("2026-01-01"), np.zeros((2, 2))])
def test_numpy_arrays_of_larger_items_are_refused(value: Any) -> None:
    with pytest.raises(CodecError):
        codec.encode(value)


@pytest.mark.trap(25)
@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (3, 3.0),
        (3.0, 3.0),
        (ConvexInt64(3), {"$integer": "AwAAAAAAAAA="}),
        (ConvexInt64(-1), {"$integer": "//////////8="}),
    ],
)
def test_a_number_is_a_float64_unless_an_int64_is_asked_for(value: Any, wire: Any) -> None:
    """`v.number()` and `v.int64()` take different things: the caller chooses, by the type."""
    (sent,) = msgspec.json.decode(encode_arguments({"n": value})).values()
    assert sent == wire


@pytest.mark.trap(25)
def test_an_int_that_a_float64_cannot_hold_is_refused() -> None:
    """Rather than rounded, or sent as what was not asked for."""
    with pytest.raises(InvalidValueError) as caught:
        encode_arguments({"n": 2**53 + 1})
    assert caught.value.path == "args.n"


@pytest.mark.trap(26)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_floats_that_json_lacks_are_tagged(value: float) -> None:
    """A bare NaN is no JSON, and ends the connection."""
    text = encode_arguments({"n": value})
    assert list(msgspec.json.decode(text)["n"]) == ["$float"]
