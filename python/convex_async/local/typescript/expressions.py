"""Filter expressions: JSON in, a function of a document's fields out.

Source: convex-backend crates/common/src/query.rs, Expression::eval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from convex_async.codec.values import decode
from convex_async.local.problems import FunctionProblem
from convex_async.local.store.index_key import UNDEFINED, index_key
from convex_async.values import ConvexInt64

Evaluate: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""The value of an expression for a document; `UNDEFINED` for a field that it lacks."""

_UNDEFINED_JSON = {"$undefined": None}

_COMPARISONS: Mapping[str, Callable[[bytes, bytes], bool]] = {
    "$eq": bytes.__eq__,
    "$neq": bytes.__ne__,
    "$lt": bytes.__lt__,
    "$lte": bytes.__le__,
    "$gt": bytes.__gt__,
    "$gte": bytes.__ge__,
}
_ARITHMETIC: Mapping[str, str] = {
    "$add": "add",
    "$sub": "subtract",
    "$mul": "multiply",
    "$div": "divide",
    "$mod": "mod",
}


def value_of(json: Any) -> Any:
    """The value that wire JSON is; `UNDEFINED` for JavaScript's own."""
    return UNDEFINED if json == _UNDEFINED_JSON else decode(msgspec.json.encode(json))


def field_of(fields: Any, path: str) -> Any:
    """The value at a field path such as `address.city`, or `UNDEFINED`."""
    for name in path.split("."):
        fields = fields.get(name, UNDEFINED) if isinstance(fields, dict) else UNDEFINED
    return fields


def compile_expression(expression: Any) -> Evaluate:
    """The function that an expression is.

    Raises:
        FunctionProblem: it is none.
    """
    if not isinstance(expression, dict) or len(expression) != 1:
        raise FunctionProblem(f"Invalid expression: {expression!r}")
    ((operator, operand),) = expression.items()
    match operator:
        case "$field":
            return lambda fields: field_of(fields, operand)
        case "$literal":
            value = value_of(operand)
            return lambda fields: value
        case "$and" | "$or":
            return _logical([compile_expression(part) for part in operand], operator == "$or")
        case "$not":
            part = compile_expression(operand)
            return lambda fields: not as_boolean(part(fields))
        case "$neg":
            part = compile_expression(operand)
            return lambda fields: _negate(part(fields))
    if operator in _COMPARISONS:
        return _compare(_COMPARISONS[operator], *map(compile_expression, operand))
    if operator in _ARITHMETIC:
        left, right = map(compile_expression, operand)
        return lambda fields: _calculate(operator, left(fields), right(fields))
    raise FunctionProblem(f"Invalid expression: unknown operator {operator}")


def as_boolean(value: Any) -> bool:
    """The value of an expression that has to be a boolean."""
    if not isinstance(value, bool):
        raise FunctionProblem(f"Expected a boolean, not {_shown(value)}")
    return value


def _logical(parts: list[Evaluate], stop: bool) -> Evaluate:
    def evaluate(fields: Mapping[str, Any]) -> bool:
        for part in parts:
            if as_boolean(part(fields)) is stop:
                return stop
        return not stop

    return evaluate


def _compare(holds: Callable[[bytes, bytes], bool], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda fields: holds(index_key([left(fields)]), index_key([right(fields)]))


def _negate(value: Any) -> Any:
    if isinstance(value, ConvexInt64):
        return _int64(-int(value))
    if isinstance(value, float):
        return -value
    raise FunctionProblem(f"Cannot negate {_shown(value)}")


def _calculate(operator: str, left: Any, right: Any) -> Any:
    if isinstance(left, ConvexInt64) and isinstance(right, ConvexInt64):
        return _int64(_calculate_ints(operator, int(left), int(right)))
    if isinstance(left, float) and isinstance(right, float):
        return _calculate_floats(operator, left, right)
    raise FunctionProblem(f"Cannot {_ARITHMETIC[operator]} {_shown(left)} and {_shown(right)}")


def _calculate_ints(operator: str, left: int, right: int) -> int:
    match operator:
        case "$add":
            return left + right
        case "$sub":
            return left - right
        case "$mul":
            return left * right
    if right == 0:
        raise FunctionProblem("Cannot divide by zero")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if operator == "$div" else left - quotient * right


def _calculate_floats(operator: str, left: float, right: float) -> float:
    match operator:
        case "$add":
            return left + right
        case "$sub":
            return left - right
        case "$mul":
            return left * right
        case "$div":
            if right != 0:
                return left / right
            negative = math.copysign(1.0, left) * math.copysign(1.0, right) < 0
            if left == 0 or math.isnan(left) or math.isnan(right):
                return math.nan
            return -math.inf if negative else math.inf
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def _int64(value: int) -> ConvexInt64:
    if not -(2**63) <= value < 2**63:
        raise FunctionProblem("Arithmetic on int64 overflows")
    return ConvexInt64(value)


def _shown(value: Any) -> str:
    if value is UNDEFINED:
        return "undefined (type Undefined)"
    names = {
        type(None): "Null",
        ConvexInt64: "Int64",
        float: "Float64",
        bool: "Boolean",
        str: "String",
        bytes: "Bytes",
        list: "Array",
    }
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    return f"{text!s} (type {names.get(type(value), 'Object')})"
