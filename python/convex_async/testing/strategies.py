"""hypothesis strategies for Convex values, documents of a schema, and arguments of functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from hypothesis import strategies as st

from convex_async.errors import InvalidValueError
from convex_async.local.definitions.functions import Functions
from convex_async.local.definitions.schema import Schema
from convex_async.local.definitions.validators import Validator
from convex_async.values import INT64_MAX, INT64_MIN, ConvexInt64

Ids: TypeAlias = Mapping[str, Sequence[str]]
"""The ids there are to choose from, by table."""

# Names that other languages trip over, beside the usual ones.
_ODD_NAMES = ("constructor", "toString", "length", "10", "with space", "a.b", '"', "z$")
# Fields of an object and items of an array, at most: enough to find things, quick to make.
MAX_SIZE = 6
# Objects and arrays within each other, where a validator leaves it open.
DEPTH = 3


def null() -> st.SearchStrategy[None]:
    """`None`."""
    return st.none()


def float64s() -> st.SearchStrategy[float]:
    """All floats: NaN, the infinities and -0.0 too."""
    return st.floats()


def int64s() -> st.SearchStrategy[ConvexInt64]:
    """`ConvexInt64` of any 64 bits."""
    return st.integers(INT64_MIN, INT64_MAX).map(ConvexInt64)


def strings() -> st.SearchStrategy[str]:
    """Any text that can travel: without lone surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"]))


def field_names() -> st.SearchStrategy[str]:
    """Names that a field of a user's object may have: none begins with `$` or `_`."""
    usual = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,15}", fullmatch=True)
    return st.one_of(usual, st.sampled_from(_ODD_NAMES))


def values(*, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Any Convex value, as decoding makes it.

    Args:
        depth: how many arrays and objects may be within each other.
    """
    scalars = st.one_of(
        null(), st.booleans(), float64s(), int64s(), strings(), st.binary(max_size=40)
    )
    made: st.SearchStrategy[Any] = scalars
    for _ in range(depth):
        made = st.one_of(
            scalars,
            st.lists(made, max_size=MAX_SIZE),
            st.dictionaries(field_names(), made, max_size=MAX_SIZE),
        )
    return made


def matching(validator: Validator, *, ids: Ids | None = None) -> st.SearchStrategy[Any]:
    """Values that a validator accepts.

    Args:
        ids: the ids there are, by table, for `v.id(table)`.

    Raises:
        ValueError: it needs an id of a table that `ids` has none of.
    """
    match validator.kind:
        case "any":
            return values()
        case "null":
            return null()
        case "boolean":
            return st.booleans()
        case "float64":
            return float64s()
        case "int64":
            return int64s()
        case "string":
            return strings()
        case "bytes":
            return st.binary(max_size=200)
        case "literal":
            return st.just(validator.value)
        case "id":
            known = (ids or {}).get(validator.table or "", ())
            if not known:
                raise ValueError(
                    f"it takes an id of table {validator.table!r}: give "
                    f"ids={{{validator.table!r}: [...]}} with some that there are"
                )
            return st.sampled_from(list(known))
        case "array":
            return st.lists(matching(validator.items[0], ids=ids), max_size=MAX_SIZE)
        case "union":
            return _one_of(validator.items, ids)
        case "record":
            return _records(validator, ids)
        case "object":
            return _objects(validator.fields, ids)
        case _:
            raise ValueError(f"there are no values for {validator}")


def documents(
    schema: Schema, table: str, *, ids: Ids | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    """What can be inserted into a table of a schema: documents without the system's fields.

    Raises:
        ValueError: the schema has no such table, or it needs ids that are not given.
    """
    if table not in schema.tables:
        raise ValueError(f"the schema has no table {table!r}: it has {', '.join(schema.tables)}")
    validator = schema.tables[table].validator
    if validator.kind == "any":
        made: st.SearchStrategy[Any] = st.dictionaries(field_names(), values(), max_size=MAX_SIZE)
    else:
        made = matching(validator, ids=ids)
    return cast("st.SearchStrategy[dict[str, Any]]", made)


def arguments(
    functions: Functions, path: str, *, ids: Ids | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments that a function's validators accept; any object where it has none.

    Raises:
        ValueError: there is no such function, or it needs ids that are not given.
    """
    function = functions.get(path)
    if function is None:
        raise ValueError(f"there is no function {path!r}")
    if function.args is None:
        return st.dictionaries(field_names(), values(), max_size=MAX_SIZE)
    return _objects(function.args, ids)


def _one_of(members: Sequence[Validator], ids: Ids | None) -> st.SearchStrategy[Any]:
    """Values of any member for which there are ids."""
    found: list[st.SearchStrategy[Any]] = []
    missing: ValueError | None = None
    for member in members:
        try:
            found.append(matching(member, ids=ids))
        except ValueError as error:
            missing = error
    if not found and missing is not None:
        raise missing
    return st.one_of(found) if found else st.nothing()


def _objects(fields: Mapping[str, Validator], ids: Ids | None) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, validator in fields.items():
        try:
            (optional if validator.is_optional else required)[name] = matching(validator, ids=ids)
        except ValueError:
            if not validator.is_optional:
                raise  # an optional field is left out for want of ids
    return st.fixed_dictionaries(required, optional=optional)


def _records(validator: Validator, ids: Ids | None) -> st.SearchStrategy[dict[str, Any]]:
    keys = validator.items[0]
    names = field_names() if keys.kind == "string" else matching(keys, ids=ids)
    return st.dictionaries(names, matching(validator.items[1], ids=ids), max_size=MAX_SIZE)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are one Convex value: NaN is NaN, 0.0 is not -0.0, 1.0 no int64."""
    from convex_async.codec import encode

    try:
        return encode(one) == encode(other)
    except InvalidValueError:
        return False
