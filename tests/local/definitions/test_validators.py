"""Each kind of `v`: what it takes, what it refuses, and what the refusal tells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async import ConvexInt64
from convex_async.local import v
from convex_async.local.definitions.display import shown
from convex_async.local.definitions.validators import ValidationError, Validator, check_fields
from convex_async.local.typescript.declared import read_validator

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 1.5,
    "int64": ConvexInt64(1),
    "string": "a",
    "bytes": b"a",
    "user": "id of users",
    "array": [1.0, 2.0],
    "strings": ["a"],
    "object": {"n": 1.0},
    "empty": {},
}

KINDS: list[tuple[Validator, set[str]]] = [
    (v.any(), set(VALUES)),
    (v.null(), {"null"}),
    (v.boolean(), {"true"}),
    (v.number(), {"number"}),
    (v.float64(), {"number"}),
    (v.int64(), {"int64"}),
    (v.string(), {"string", "user"}),
    (v.bytes(), {"bytes"}),
    (v.id("users"), {"user"}),
    (v.id("tasks"), set()),
    (v.literal("a"), {"string"}),
    (v.literal(1.5), {"number"}),
    (v.literal(True), {"true"}),
    (v.literal(1), set()),
    (v.literal(ConvexInt64(1)), {"int64"}),
    (v.array(v.number()), {"array"}),
    (v.array(v.union(v.string(), v.number())), {"array", "strings"}),
    (v.object({}), {"empty"}),
    (v.object({"n": v.number()}), {"object"}),
    (v.object({"n": v.optional(v.number())}), {"object", "empty"}),
    (v.object({"n": v.string()}), set()),
    (v.record(v.string(), v.number()), {"object", "empty"}),
    (v.record(v.string(), v.null()), {"empty"}),
    (v.union(), set()),
    (v.union(v.null(), v.literal("a"), v.object({"n": v.any()})), {"null", "string", "object"}),
    (v.optional(v.string()), {"string", "user"}),
]


# For what type checkers refuse already.
wrong: Any = v

SCALARS = st.sampled_from(
    [v.null(), v.boolean(), v.number(), v.int64(), v.string(), v.bytes(), v.any(), v.id("users")]
)
LITERALS = st.one_of(
    st.text(), st.booleans(), st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1)
).map(lambda value: v.literal(ConvexInt64(value) if type(value) is int else value))
NAMES = st.from_regex(r"[a-z][a-zA-Z0-9_]{0,5}", fullmatch=True)


def nested(inner: st.SearchStrategy[Validator]) -> st.SearchStrategy[Validator]:
    return st.one_of(
        inner.map(v.array),
        st.lists(inner, max_size=3).map(lambda members: v.union(*members)),
        inner.map(lambda values: v.record(v.string(), values)),
        st.dictionaries(NAMES, st.one_of(inner, inner.map(v.optional)), max_size=3).map(v.object),
    )


VALIDATORS = st.recursive(st.one_of(SCALARS, LITERALS), nested, max_leaves=6)


def table_of(text: str) -> str | None:
    return text.removeprefix("id of ") if text.startswith("id of ") else None


@pytest.mark.parametrize(("validator", "taken"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_what_is_taken(validator: Validator, taken: set[str]) -> None:
    for name, value in VALUES.items():
        if name in taken:
            validator.check(value, table_of)
        else:
            with pytest.raises(ValidationError, match=r"match|field"):
                validator.check(value, table_of)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "missing the required field `people`"),
        ({"people": [], "more": 1.0}, "extra field `more` that is not in the validator"),
        (
            {"people": [{"name": "a"}, {"name": 1.0}]},
            "Value does not match validator.\nPath: .people[1].name\nValue: 1.0\n"
            "Validator: v.string()",
        ),
        (
            {"people": [{}]},
            "Object is missing the required field `name`. Consider wrapping the field validator in "
            "`v.optional(...)` if this is expected.\nPath: .people[0]\nObject: {}\n"
            "Validator: v.object({name: v.string()})",
        ),
        (
            {"people": [], "by": {"x": []}},
            'Path: .by.values()\nValue: []\nValidator: v.union(v.null(), v.id("users"))',
        ),
        (
            {"people": [], "user": "id of notes"},
            'Found ID "id of notes" from table `notes`, which does not match the table name in '
            'validator `v.id("users")`.Path: .user',
        ),
        (
            {"people": [], "user": "id of _storage"},
            'Found ID "id of _storage" from a system table, which does not match the table name '
            'in validator `v.id("users")`.Path: .user',
        ),
        (
            {"kind": "b", "people": []},
            '`"b"` does not match literal validator `v.literal("a")`.Path: .kind',
        ),
        (
            {"b": 1.0, "a": [None, True, b"x"]},
            'that is not in the validator.\n\nObject: {a: [null, true, b"eA=="], b: 1.0}\n'
            "Validator: v.object({by: v.optional(v.record(v.string(), ",
        ),
    ],
)
def test_a_refusal_names_the_place(value: dict[str, Any], told: str) -> None:
    fields = {
        "people": v.array(v.object({"name": v.string()})),
        "by": v.optional(v.record(v.string(), v.union(v.null(), v.id("users")))),
        "user": v.optional(v.id("users")),
        "kind": v.optional(v.literal("a")),
    }
    if "a" in value:
        del fields["people"]
    with pytest.raises(ValidationError) as caught:
        check_fields(fields, value, table_of)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: wrong.id(None), "takes the name of a table, not None"),
        (lambda: v.id(""), "takes the name of a table"),
        (lambda: wrong.literal({}), "takes a text, a number or a bool, not {}"),
        (lambda: wrong.literal(None), "takes a text, a number or a bool, not None"),
        (lambda: wrong.array(str), "a validator, such as v.string(), not <class 'str'>"),
        (lambda: v.array(v.optional(v.null())), "only the fields of an object can be optional"),
        (lambda: v.union(v.optional(v.null())), "only the fields of an object can be optional"),
        (lambda: v.record(v.string(), v.optional(v.null())), "only the fields of an object"),
        (lambda: v.record(v.number(), v.null()), "the names of a record are texts or ids"),
        (lambda: v.record(v.literal("a"), v.null()), "the names of a record are texts or ids"),
        (lambda: wrong.object({"a": int}), "v.object(), 'a': a validator"),
        (lambda: wrong.object({1: v.null()}), "1 is no name of a field"),
        (lambda: v.object({"__": v.null()}), "'__' is no name of a field"),
        (lambda: v.object({"ä": v.null()}), "is no name of a field"),
        (lambda: wrong.object("a"), "v.object(): a validator"),
        (lambda: wrong.optional(3), "v.optional(): a validator"),
    ],
)
def test_a_validator_that_makes_no_sense(make: Callable[[], Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert told in str(caught.value)


def test_fields_stand_for_the_object_of_them() -> None:
    nested = wrong.array({"a": {"b": v.null()}})
    assert str(nested) == "v.array(v.object({a: v.object({b: v.null()})}))"
    assert str(wrong.optional({"a": v.null()})) == "v.optional(v.object({a: v.null()}))"


NUMBERS = [0.0, -0.0, math.nan, math.inf, 1.0, 1e16, 1.5e300, 0.0001, 1e-5, 12345678.9]
SHOWN = ["0.0", "-0.0", "NaN", "inf", "1.0", "1e16", "1.5e300", "0.0001", "1e-5", "12345678.9"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *zip(NUMBERS, SHOWN, strict=True),
        (ConvexInt64(5), "5"),
        ('a"\\\n\x07', '"a\\"\\\\\\n\\u{7}"'),
        ({"b": [], "a": {}}, "{a: {}, b: []}"),
    ],
)
def test_values_in_texts_are_as_rust_writes_them(value: Any, text: str) -> None:
    assert shown(value) == text


def test_zeros_and_nan_as_literals() -> None:
    for number in (0.0, -0.0, math.nan):
        v.literal(number).check(number, table_of)
    with pytest.raises(ValidationError):
        v.literal(0.0).check(-0.0, table_of)
    assert str(v.literal(math.nan)) == "v.literal(<number>)"
    assert str(v.literal(ConvexInt64(1))) == "v.literal(<bigint>)"


@given(VALIDATORS)
def test_every_kind_is_written_as_convex_reads_it(validator: Validator) -> None:
    """By the reader of folders in TypeScript, which has convex's own JSON to read."""
    text = msgspec.json.encode(validator.to_json())
    assert read_validator(msgspec.json.decode(text)) == replace(validator, is_optional=False)


def test_an_optional_field_may_be_absent_and_another_not() -> None:
    fields = {"a": v.string(), "b": v.optional(v.string())}
    check_fields(fields, {"a": "x"}, table_of)
    check_fields(fields, {"a": "x", "b": "y"}, table_of)
    with pytest.raises(ValidationError, match="missing the required field `a`"):
        check_fields(fields, {"b": "y"}, table_of)
    with pytest.raises(ValidationError, match="does not match validator"):
        check_fields(fields, {"a": "x", "b": None}, table_of)


def test_the_specification_has_convexs_names() -> None:
    """Source: convex-backend npm-packages/convex/src/values/validators.ts, the `json` of each."""
    nested = v.object(
        {
            "id": v.id("users"),
            "n": v.optional(v.number()),
            "big": v.int64(),
            "any": v.array(v.any()),
            "kind": v.union(v.literal("a"), v.null()),
            "by": v.record(v.string(), v.bytes()),
        }
    )
    assert nested.to_json() == {
        "type": "object",
        "value": {
            "id": {"fieldType": {"type": "id", "tableName": "users"}, "optional": False},
            "n": {"fieldType": {"type": "number"}, "optional": True},
            "big": {"fieldType": {"type": "bigint"}, "optional": False},
            "any": {"fieldType": {"type": "array", "value": {"type": "any"}}, "optional": False},
            "kind": {
                "fieldType": {
                    "type": "union",
                    "value": [{"type": "literal", "value": "a"}, {"type": "null"}],
                },
                "optional": False,
            },
            "by": {
                "fieldType": {
                    "type": "record",
                    "keys": {"type": "string"},
                    "values": {"fieldType": {"type": "bytes"}, "optional": False},
                },
                "optional": False,
            },
        },
    }
