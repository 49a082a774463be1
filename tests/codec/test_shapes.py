"""Types that msgspec alone can't make, and values that it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import msgspec
import pydantic
import pytest

from convex_async.codec.classes import fields_of
from convex_async.codec.scalars import kind_of
from convex_async.codec.shapes import Shapes
from convex_async.codec.typed import converter
from convex_async.errors import InvalidValueError
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet

T = TypeVar("T")
FIVE = b'{"$integer":"BQAAAAAAAAA="}'
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ID = "12345678-1234-5678-1234-567812345678"
NEGATIVE_ZERO = b'{"$float":"AAAAAAAAAIA="}'


@dataclasses.dataclass
class Paid:
    ok: bool


@dataclasses.dataclass
class Refused:
    why: str
    code: int = 0


@dataclasses.dataclass
class RefusedLong:
    why: str
    until: datetime


class Open(msgspec.Struct):
    n: int
    rest: Any = None


class Point(NamedTuple):
    x: int
    y: int = 0


class Row(TypedDict):
    id: str
    point: NotRequired[Point]


class Model(pydantic.BaseModel):
    n: int


@dataclasses.dataclass
class Holder:
    model: Model
    others: list[Model] = dataclasses.field(default_factory=list)


class Tree(msgspec.Struct):
    value: Any
    children: list[Tree] = []


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    at: datetime | None = None


class Colour(Enum):
    RED = "red"
    TWO = 2


class Renamed(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    is_done: int
    extra: Any = None


class Cat(msgspec.Struct, tag_field="kind", tag="cat"):
    lives: int
    data: Any = None


class Dog(msgspec.Struct, tag_field="kind", tag="dog"):
    name: str


UserId = NewType("UserId", str)


def make(data: bytes, type: Any) -> Any:
    return converter(type)(data, "value")


@pytest.mark.parametrize(
    ("data", "type", "expected"),
    [
        (b'{"ok":true}', Paid | Refused, Paid(True)),
        (b'{"why":"no","code":3.0}', Paid | Refused, Refused("no", 3)),
        (b'{"why":"a","until":0}', Refused | RefusedLong, RefusedLong("a", EPOCH)),
        (b'[{"ok":false},{"why":"x"}]', list[Paid | Refused], [Paid(False), Refused("x")]),
        (b"2", float | ConvexInt64, 2.0),
        (FIVE, float | ConvexInt64, ConvexInt64(5)),
        (FIVE, float | int, 5),
        (b'{"n":2,"rest":2}', Open, Open(2, 2.0)),
        (b'{"n":2,"rest":' + FIVE + b"}", Open, Open(2, ConvexInt64(5))),
        (NEGATIVE_ZERO, int, 0),
        (b"1700000000000000000", int, 17 * 10**17),
        (b"1e300", int, int(1e300)),
        (b'[{"n":' + NEGATIVE_ZERO + b"}]", list[Open], [Open(0)]),
        (b'{"x":1,"y":2}', Point, Point(1, 2)),
        (b'{"x":1}', Point, Point(1)),
        (b"[3,4]", Point, Point(3, 4)),
        (b'{"id":"a","point":{"x":1}}', Row, {"id": "a", "point": Point(1)}),
        (b'{"model":{"n":1.0},"others":[{"n":2}]}', Holder, Holder(Model(n=1), [Model(n=2)])),
        (b'{"n":1}', Model | None, Model(n=1)),
        (b"[1,2]", tuple[int, ...], (1, 2)),
        (b'[1,"a"]', tuple[int, Any], (1, "a")),
        (b'{"value":1,"children":[{"value":2}]}', Tree, Tree(1.0, [Tree(2.0)])),
        (b'{"content":[1],"at":1.5}', Box[list[int]], Box([1], EPOCH.replace(microsecond=1500))),
        (b'"red"', Colour, Colour.RED),
        (b"[2]", tuple[Colour, Any] | list[Colour], [Colour.TWO]),
        (b'{"isDone":1,"extra":2}', Renamed, Renamed(1, 2.0)),
        (b'{"kind":"cat","lives":9,"data":1}', Cat | Dog, Cat(9, 1.0)),
        (b'{"a":1}', dict, {"a": 1.0}),
        (b'{"a":1}', dict[str, Any], {"a": 1.0}),
        (b'{"a":' + FIVE + b"}", Mapping[str, object], {"a": ConvexInt64(5)}),
        (b"2", object, 2.0),
        (b'["a","a"]', ConvexSet, ConvexSet(["a"])),
        (b'[["a",1]]', ConvexMap, ConvexMap([("a", 1.0)])),
        (b'"u"', UserId, "u"),
        (b'"2026-11-26"', date, date(2026, 11, 26)),
        (b'"%b"' % ID.encode(), UUID, UUID(ID)),
        (b'[1,"0.10"]', tuple[Any, Decimal], (1.0, Decimal("0.10"))),
        (b"3", Annotated[int, msgspec.Meta(gt=2)], 3),
        (b'[null,"b",1]', list[Literal["b", 1] | None], [None, "b", 1]),
        (b'{"a":1}', Annotated[dict, {"unhashable": 1}], {"a": 1.0}),
    ],
)
def test_it_is_made(data: bytes, type: Any, expected: Any) -> None:
    found = make(data, type)
    assert found == expected
    assert found.__class__ is expected.__class__
    assert repr(found) == repr(expected)  # 2 and 2.0 are equal, and not the same


@pytest.mark.parametrize(
    ("data", "type", "path"),
    [
        (b'{"ok":1}', Paid | Refused, "value.ok"),
        (b'[{"why":"a"},{"why":2}]', list[Paid | Refused], "value[1].why"),
        (b"2.5", int, "value"),
        (b"true", int, "value"),
        (b"true", float | str, "value"),
        (b'"x"', list[Any], "value"),
        (b'{"x":1,"y":"b"}', Point, "value.y"),
        (b'{"model":{"n":"x"}}', Holder, "value.model.n"),
        (b'{"model":{"n":1},"others":[{"n":1},{}]}', Holder, "value.others[1].n"),
        (b'{"isDone":1,"more":2}', Renamed, "value"),
        (b'{"kind":"fish"}', Cat | Dog, "value.kind"),
        (b'{"value":1,"children":[{"value":2},{}]}', Tree, "value.children[1]"),
        (b"1e300", datetime, "value"),
        (b'{"a b":"x"}', dict[str, datetime], "value['a b']"),
        (b"1", Annotated[int, msgspec.Meta(gt=2)], "value"),
        (b"[1,2,3]", tuple[int, Any], "value"),
    ],
)
def test_another_shape_is_refused_with_its_path(data: bytes, type: Any, path: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        make(data, type)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


class Ambiguous1(msgspec.Struct):
    x: int


class Ambiguous2(msgspec.Struct):
    x: str
    y: int = 0


class NoShape:
    pass


@dataclasses.dataclass
class Unknown:
    field: Nowhere  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("type", "says"),
    [
        (5, "5 is not a type"),
        ("Task", "'Task' is not a type"),
        (list["Task"], "Task"),  # type: ignore[name-defined]  # noqa: F821
        (Ambiguous1 | Ambiguous2, "tag"),
        (NoShape, "dec_hook"),
        (list[NoShape], "dec_hook"),
        (Unknown, "Nowhere"),
    ],
)
def test_what_can_never_work_is_refused_at_once(type: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        converter(type)


class Metres:
    def __init__(self, n: float) -> None:
        self.n = n


def hook(type: Any, value: Any) -> Any:
    if type is Metres:
        return Metres(value)
    raise NotImplementedError("unknown here")


def test_a_hook_makes_what_nobody_here_knows() -> None:
    made = converter(dict[str, list[Metres]], hook)(b'{"a":[1,2.5]}', "value")
    assert [one.n for one in made["a"]] == [1.0, 2.5]


def test_what_a_hook_refuses_is_told_with_its_path() -> None:
    with pytest.raises(InvalidValueError, match=r"value\[0\]: unknown here"):
        converter(list[NoShape], hook)(b"[1]", "value")


def test_an_int_alone_is_left_to_msgspec() -> None:
    shapes = Shapes(None)
    shapes.member(list[Ambiguous1])
    assert (shapes.is_native, shapes.has_int, shapes.has_open) == (True, True, False)


def test_a_converter_is_made_once() -> None:
    assert converter(list[Paid | Refused]) is converter(list[Paid | Refused])


def test_fields_are_named_as_on_the_wire() -> None:
    fields = fields_of(Renamed)
    assert fields is not None
    assert list(fields.by_key) == ["isDone", "extra"]
    assert fields.required == {"isDone"}
    assert fields_of(int) is None


def test_kinds_are_convex_own() -> None:
    values: list[Any] = [None, True, 1.0, ConvexInt64(1), "a", b"", [], {}]
    names = ["null", "boolean", "float64", "int64", "string", "bytes", "array", "object"]
    assert [kind_of(value) for value in values] == names
