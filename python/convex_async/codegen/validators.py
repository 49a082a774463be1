"""What validators say, whatever style their types are written in."""

from __future__ import annotations

import math
from collections.abc import Iterable

from convex_async.codegen.layout import quoted, spread
from convex_async.codegen.names import pascal
from convex_async.codegen.specification import Field, Validator

# Columns of a text in a `Literal`, quotes included: with a name before it, it fits a line.
MAX_LITERAL = 34


def literal(member: Validator) -> tuple[str, bool]:
    """A literal as Python has it, and whether that says all; else its type alone."""
    value = member.literal
    if isinstance(value, str):
        shown = quoted(value)
        # A character beyond ASCII may be two columns wide.
        columns = sum(1 if character.isascii() else 2 for character in shown)
        return (shown, True) if columns <= MAX_LITERAL else ("str", False)
    if isinstance(value, bool):
        return str(value), True
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) < 2**53
        return (str(int(value)), True) if whole else ("float", False)
    return str(value), True


def flat(validator: Validator) -> list[Validator]:
    """The members of a union, those of unions in it among them, each once."""
    found: list[Validator] = []
    for item in validator.items:
        found += flat(item) if item.kind == "union" else [item]
    return list(dict.fromkeys(found))


def differ(one: Validator, other: Validator) -> bool:
    """Whether an object of one can't be taken for one of the other (`codec.classes`)."""
    fields = [{field.name: field for field in validator.fields} for validator in (one, other)]
    for own, others in (fields, fields[::-1]):
        if any(not field.is_optional and name not in others for name, field in own.items()):
            return True
    both = fields[0].keys() & fields[1].keys()
    literals = [(_values(fields[0][name]), _values(fields[1][name])) for name in both]
    return any(left and right and left.isdisjoint(right) for left, right in literals)


def _values(field: Field) -> set[object]:
    """The only values that a field may have; empty where there are others."""
    members = flat(Validator("union", items=(field.validator,)))
    if any(member.kind != "literal" or not literal(member)[1] for member in members):
        return set()
    return {(type(member.literal).__name__, member.literal) for member in members}


def tagged(validator: Validator, name: str) -> str:
    """A name for a member of a union, by the literal that tells it from the others."""
    for one in validator.fields:
        if one.validator.kind == "literal" and isinstance(one.validator.literal, str):
            return pascal(name, one.validator.literal)
    return name


def table_of(validator: Validator) -> str:
    """The table whose documents an object is; empty if it is none."""
    named = {one.name: one.validator for one in validator.fields}
    found = named.get("_id")
    return (
        found.table if found is not None and found.kind == "id" and "_creationTime" in named else ""
    )


def system_first(field: Field) -> tuple[int, str]:
    """Sorts the fields of an object: those that Convex adds come first."""
    order = ("_id", "_creationTime")
    return (order.index(field.name) if field.name in order else len(order), field.name)


def describe(validator: Validator) -> str:
    """A validator in words, for a docstring."""
    match validator.kind:
        case "id":
            return f"id of `{validator.table}`"
        case "literal":
            return literal(validator)[0]
        case "array":
            return f"array of {describe(validator.items[0])}"
        case "record":
            return f"record of {describe(validator.items[1])}"
        case "union":
            members = flat(validator)
            return " | ".join(describe(member) for member in members) or "nothing"
        case "bigint":
            return "int64"
        case _:
            return validator.kind


def int64s(validator: Validator) -> str | None:
    """Where a value holds int64, as source of `calls.Int64s`; None for nowhere."""
    match validator.kind:
        case "bigint":
            return "True"
        case "literal":
            value = validator.literal
            return "True" if isinstance(value, int) and not isinstance(value, bool) else None
        case "array":
            return _wrapped("[", [int64s(validator.items[0])], "]")
        case "record":
            return _wrapped("{", [_keyed("None", int64s(validator.items[1]))], "}")
        case "object":
            return int64s_of(validator.fields)
        case "union":
            members = flat(validator)
            if any(member.kind == "number" or _is_float(member) for member in members):
                return None  # an int is a number there: `ConvexInt64` says which is meant
            found = list(dict.fromkeys(filter(None, map(int64s, members))))
            return found[0] if len(found) == 1 else None
        case _:
            return None


def int64s_of(fields: Iterable[Field]) -> str | None:
    """The same for the fields of an object."""
    return _wrapped("{", [_keyed(quoted(f.name), int64s(f.validator)) for f in fields], "}")


def _is_float(member: Validator) -> bool:
    return member.kind == "literal" and isinstance(member.literal, float)


def _keyed(key: str, text: str | None) -> str | None:
    return None if text is None else f"{key}: {text}"


def _wrapped(opening: str, items: list[str | None], closing: str) -> str | None:
    found = [item for item in items if item is not None]
    return "\n".join(spread(opening, found, closing)) if found else None
