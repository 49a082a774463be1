"""Typed calls, without a client."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, Field

from convex_async.calls import OMITTED, Int64s, MutationCall, PageCall, QueryCall
from convex_async.values import ConvexInt64


def test_a_call_has_a_path_and_arguments() -> None:
    call: QueryCall[Any] = QueryCall("tasks.js:list", {"a": 1, "b": OMITTED})
    assert call.path == "tasks:list"
    assert call.args == {"a": 1}
    assert call.type is None
    assert repr(call) == "QueryCall('tasks:list', {'a': 1})"
    assert repr(OMITTED) == "<Omitted.OMITTED: 'OMITTED'>"
    with pytest.raises(ValueError, match="not a function path"):
        QueryCall[Any]("a b")


def test_calls_are_equal_by_kind_path_and_arguments() -> None:
    assert QueryCall[Any]("a:b", {"x": 1}) == QueryCall[Any]("a:b", {"x": 1})
    assert QueryCall[Any]("a:b") != QueryCall[Any]("a:b", {"x": 1})
    assert QueryCall[Any]("a:b") != PageCall[Any]("a:b")
    with pytest.raises(TypeError, match="unhashable"):
        hash(QueryCall[Any]("a:b"))


class Inner(msgspec.Struct):
    n: int
    text: str | msgspec.UnsetType = msgspec.UNSET
    k: int = msgspec.field(default=1, name="key")


class Model(BaseModel):
    n: int = Field(alias="number")


def test_ints_become_int64_where_that_is_said() -> None:
    given = {
        "a": 1,
        "b": [1, 2],
        "c": {"x": 1, "y": 1},
        "d": {"p": 1, "q": 2},
        "e": True,
        "f": None,
    }
    int64: Int64s = {
        "a": True,
        "b": [True],
        "c": {"x": True},
        "d": {None: True},
        "e": True,
        "f": True,
    }
    args = MutationCall[Any]("m:f", given, int64=int64).args
    one = ConvexInt64(1)
    kinds = {name: type(value) for name, value in args.items()}
    assert kinds["a"] is ConvexInt64
    assert [type(item) for item in args["b"]] == [ConvexInt64] * 2
    assert type(args["c"]["x"]) is ConvexInt64
    assert type(args["c"]["y"]) is int
    assert args["d"] == {"p": one, "q": ConvexInt64(2)}
    assert type(args["d"]["q"]) is ConvexInt64
    assert args["e"] is True  # a bool is no number
    assert args["f"] is None
    assert given["a"] == 1


def test_structs_and_models_travel_by_their_own_names() -> None:
    int64: Int64s = {"s": {"n": True, "key": True}, "m": {"number": True}}
    args = MutationCall[Any]("m:f", {"s": Inner(5), "m": Model(number=6)}, int64=int64).args
    assert args == {"s": {"n": 5, "key": 1}, "m": {"number": 6}}
    assert type(args["s"]["key"]) is type(args["m"]["number"]) is ConvexInt64


def test_an_int_that_is_too_large_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="out of range"):
        MutationCall[Any]("m:f", {"a": 2**63}, int64={"a": True})
