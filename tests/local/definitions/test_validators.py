"""Each kind of `v`: what it takes, what it refuses, and what the refusal tells."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async import ConvexInt64
from convex_async.local import v
from convex_async.local.definitions.validators import ValidationError, Validator, check_fields

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


def is_id(value: object, table: str) -> bool:
    return value == f"id of {table}"


@pytest.mark.parametrize(("validator", "taken"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_what_is_taken(validator: Validator, taken: set[str]) -> None:
    for name, value in VALUES.items():
        if name in taken:
            validator.check(value, is_id)
        else:
            with pytest.raises(ValidationError, match="Path: "):
                validator.check(value, is_id)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "missing the required field `people`"),
        ({"people": [], "more": 1.0}, "extra field `more` that is not in the validator"),
        (
            {"people": [{"name": "a"}, {"name": 1.0}]},
            "Path: .people[1].name\nValue: 1.0\nValidator: v.string()",
        ),
        ({"people": [{}]}, "field `name`. Consider wrapping the field validator"),
        ({"people": [], "by": {"x": []}}, "Path: .by.x\nValue: []\nValidator: v.union(v.null(),"),
    ],
)
def test_a_refusal_names_the_place(value: dict[str, Any], told: str) -> None:
    fields = {
        "people": v.array(v.object({"name": v.string()})),
        "by": v.optional(v.record(v.string(), v.union(v.null(), v.id("users")))),
    }
    with pytest.raises(ValidationError) as caught:
        check_fields(fields, value, is_id)
    assert told in str(caught.value)


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
