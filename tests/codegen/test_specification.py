"""Specifications as deployments and `npx convex function-spec` write them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convex_async.codegen.specification import (
    ANY,
    SpecificationError,
    Validator,
    fingerprint,
    parse,
)


def function(**changed: Any) -> dict[str, Any]:
    return {
        "functionType": "Query",
        "identifier": "tasks.js:list",
        "visibility": {"kind": "public"},
        "args": {"type": "object", "value": {}},
        "returns": {"type": "null"},
        **changed,
    }


def test_a_file_of_npx_and_a_list_of_the_wire_are_one() -> None:
    listed = [function()]
    assert parse({"url": "https://x.convex.cloud", "functions": listed}) == parse(listed)
    assert parse(listed)[0].path == "tasks:list"


def test_what_is_not_said_is_anything() -> None:
    (one,) = parse([function(returns=None, args={"type": "any"}, identifier="crons.js:default")])
    assert one.returns == ANY
    assert one.args is None
    assert one.path == "crons:default"
    (one,) = parse([function(args=None)])
    assert one.args is None
    # A function that returns nothing is another thing than one of which nothing is known.
    assert parse([function()])[0].returns == Validator("null")


def test_http_actions_are_left_out() -> None:
    assert parse([{"functionType": "HttpAction", "method": "GET", "path": "/x"}]) == []


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("x", "x"),
        (True, True),
        (1, 1.0),
        (1.5, 1.5),
        ({"$integer": "AQAAAAAAAAA="}, 1),
        ({"$integer": "//////////8="}, -1),
        ({"$float": "AAAAAAAA8H8="}, float("inf")),
    ],
)
def test_literals(value: Any, literal: object) -> None:
    (one,) = parse([function(returns={"type": "literal", "value": value})])
    assert one.returns.literal == literal
    assert type(one.returns.literal) is type(literal)


def test_pagination_is_told_by_its_options() -> None:
    options = {
        name: {"fieldType": {"type": "any"}, "optional": False} for name in ("numItems", "cursor")
    }
    page = {"fieldType": {"type": "object", "value": options}, "optional": False}
    args = {"type": "object", "value": {"paginationOpts": page}}
    assert parse([function(args=args)])[0].is_paginated
    assert not parse([function(args=args, functionType="Mutation")])[0].is_paginated
    assert not parse([function()])[0].is_paginated


def test_the_fingerprint_is_of_the_functions_in_any_order() -> None:
    field = {"fieldType": {"type": "string"}, "optional": True}
    args = {"type": "object", "value": {"x": field, "y": field}}
    listed = [function(identifier=f"a.js:f{n}", args=args) for n in range(5)]
    before = fingerprint(parse(listed))
    random.shuffle(listed)
    listed[0]["args"] = {"type": "object", "value": {"y": field, "x": field}}
    assert fingerprint(parse(listed)) == before
    assert fingerprint(parse(listed[:-1])) != before


@pytest.mark.parametrize(
    ("specification", "text"),
    [
        (5, "a list of functions"),
        ({}, "a list of functions"),
        (["x"], "a function is an object"),
        ([{"functionType": "Cron", "identifier": "a:b"}], "of a known type"),
        ([function(identifier="a b:c")], "not a function path"),
        ([function(args={"type": "string"})], "args is an object"),
        ([function(returns={"type": "date"})], "tasks:list: returns is of an unknown kind: 'date'"),
        ([function(returns={"type": "array"})], "tasks:list: returns, array, lacks 'value'"),
        ([function(returns="string")], "no validator"),
        ([function(returns={"type": "id", "tableName": 5})], "tasks:list: returns, id"),
    ],
)
def test_what_is_none_is_told_with_its_place(specification: Any, text: str) -> None:
    with pytest.raises(SpecificationError, match=text):
        parse(specification)
