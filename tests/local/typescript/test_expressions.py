"""Filter expressions as the functions that they are."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import UNDEFINED
from convex_async.local.typescript.expressions import compile_expression, field_of, value_of

AGE = {"$field": "age"}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"$eq": [AGE, {"$literal": 7.0}]}, True),
        ({"$lt": [AGE, {"$literal": 7.0}]}, False),
        ({"$gte": [{"$add": [AGE, {"$literal": 1.0}]}, {"$literal": 8.0}]}, True),
        ({"$not": {"$neq": [AGE, {"$literal": 7.0}]}}, True),
    ],
)
def test_what_holds_for_a_document(expression: Any, holds: bool) -> None:
    assert compile_expression(expression)({"age": 7.0}) is holds


def test_fields_that_are_not_there_are_undefined() -> None:
    assert field_of({"a": {"b": 1.0}}, "a.b") == 1.0
    assert field_of({"a": 1.0}, "a.b") is UNDEFINED
    assert value_of({"$undefined": None}) is UNDEFINED


@pytest.mark.parametrize("expression", [{}, 1, {"$eq": [], "$lt": []}])
def test_what_is_none_is_refused(expression: Any) -> None:
    with pytest.raises(FunctionProblem):
        compile_expression(expression)
