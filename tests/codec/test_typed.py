"""Decoding into the types that users declare."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from convex_async import codec
from convex_async.errors import CodecError, InvalidValueError
from convex_async.values import ConvexInt64


class Item(msgspec.Struct):
    name: str
    price: float
    count: int = 0


class Order(msgspec.Struct):
    items: list[Item]
    note: str | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Row(TypedDict):
    id: str
    n: int


class Pair(NamedTuple):
    left: int
    right: str


class Circle(msgspec.Struct, tag_field="kind", tag="circle"):
    r: float


class Square(msgspec.Struct, tag_field="kind", tag="square"):
    side: int


class Model(pydantic.BaseModel):
    name: str
    size: int
    raw: bytes = b""


FIVE = b'{"$integer":"BQAAAAAAAAA="}'


@pytest.mark.parametrize(
    ("data", "type", "expected"),
    [
        (b'{"name":"a","price":3.0,"count":2.0}', Item, Item("a", 3.0, 2)),
        (b'{"name":"a","price":3,"count":' + FIVE + b"}", Item, Item("a", 3.0, 5)),
        (b'{"items":[{"name":"a","price":1.5}]}', Order, Order([Item("a", 1.5)])),
        (b'{"x":2.0,"y":2.0}', Point, Point(2, 2.0)),
        (b'[{"id":"a","n":1.0}]', list[Row], [{"id": "a", "n": 1}]),
        (b'[1.0,"x"]', Pair, Pair(1, "x")),
        (b'{"kind":"square","side":2.0}', Circle | Square, Square(2)),
        (b"null", int | None, None),
        (b'"b"', Literal["a", "b"], "b"),
        (b'{"$bytes":"AAE="}', bytes, b"\0\1"),
        (FIVE, ConvexInt64, ConvexInt64(5)),
        (
            b'{"name":"a","size":4.0,"raw":{"$bytes":"AAE="}}',
            Model,
            Model(name="a", size=4, raw=b"\0\1"),
        ),
        (b'[{"name":"a","size":' + FIVE + b"}]", list[Model], [Model(name="a", size=5)]),
    ],
)
def test_values_become_the_declared_type(data: bytes, type: Any, expected: Any) -> None:
    found = codec.decode(data, type=type)
    assert found == expected
    assert found.__class__ is expected.__class__


def test_a_whole_float_stays_a_float_where_one_is_declared() -> None:
    found = codec.decode(b'{"name":"a","price":3.0}', type=Item)
    assert isinstance(found.price, float)


@pytest.mark.parametrize(
    ("data", "type", "path"),
    [
        (b'{"items":[{"name":"a","price":1},{"name":"b","price":"x"}]}', Order, ".items[1].price"),
        (b'{"x":2.5,"y":1}', Point, ".x"),
        (b'[{"id":"a"}]', list[Row], "[0]"),
        (b'"5"', int, ""),
        (b"1", str, ""),
        (b'{"name":"a","size":"x"}', Model, ".size"),
        (b'{"name":"a","price":1e400}', Item, ".price"),
        (b'{"name":"a","price":{"$integer":"A"}}', Item, ".price"),
    ],
)
def test_another_shape_is_refused_with_its_path(data: bytes, type: Any, path: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        codec.decode(data, type=type, root="result")
    assert isinstance(caught.value, CodecError)
    assert caught.value.path == "result" + path
    assert str(caught.value).startswith(f"result{path}: ")
