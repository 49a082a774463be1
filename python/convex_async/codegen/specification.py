"""Function specifications as Convex writes them, read strictly.

Source: convex-backend npm-packages/system-udfs `_system/cli/modules.ts` (apiSpec), and
npm-packages/convex `convex function-spec`; validators as convex-js src/values/validators.ts
(`json`) has them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from msgspec import Struct

from convex_async.function_path import FunctionPath, canonical_path

FunctionKind: TypeAlias = Literal["query", "mutation", "action"]
Scalar: TypeAlias = Literal["null", "boolean", "number", "bigint", "string", "bytes", "any"]

SCALARS = ("null", "boolean", "number", "bigint", "string", "bytes", "any")
# Fields of the options of a paginated query that every one of them has.
PAGINATION = {"numItems", "cursor"}


class SpecificationError(ValueError):
    """It is no function specification; the text names the place."""


class Field(Struct, frozen=True):
    """One field of an object."""

    name: str
    validator: Validator
    is_optional: bool


class Validator(Struct, frozen=True):
    """What a value may be.

    Attributes:
        kind: "id", "literal", "array", "record", "object", "union" or one of `SCALARS`.
        table: of an id.
        literal: a str, bool or float; an int for an int64.
        items: of an array, one; of a record, its keys and values; of a union, its members.
        fields: of an object.
    """

    kind: str
    table: str = ""
    literal: str | bool | int | float | None = None
    items: tuple[Validator, ...] = ()
    fields: tuple[Field, ...] = ()


ANY = Validator("any")


class FunctionSpec(Struct, frozen=True):
    """One function.

    Attributes:
        args: its arguments; None if it takes any.
        returns: of its result; `ANY` if that is not said.
    """

    path: FunctionPath
    kind: FunctionKind
    is_internal: bool
    args: tuple[Field, ...] | None
    returns: Validator

    @property
    def is_paginated(self) -> bool:
        """Whether it is a query that takes `paginationOpts`."""
        options = next((f for f in self.args or () if f.name == "paginationOpts"), None)
        names = {field.name for field in options.validator.fields} if options else set[str]()
        return self.kind == "query" and names >= PAGINATION


def parse(specification: Any) -> list[FunctionSpec]:
    """Read a specification: the JSON of `npx convex function-spec`, or its list of functions.

    HTTP actions are left out: they have no arguments to type.

    Raises:
        SpecificationError: it is none.
    """
    listed = specification.get("functions") if isinstance(specification, dict) else specification
    if not isinstance(listed, list):
        raise SpecificationError("a function specification is a list of functions, or has one")
    functions: dict[str, FunctionSpec] = {}
    for entry in listed:
        function = _function(entry)
        if function is not None:
            functions[function.path] = function
    return [functions[path] for path in sorted(functions)]


def fingerprint(functions: Sequence[FunctionSpec]) -> str:
    """A hash of the functions, the same for the same ones in any order and spelling."""
    import msgspec

    text = msgspec.json.encode([msgspec.to_builtins(function) for function in functions])
    normal = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(normal.encode()).hexdigest()


def _function(entry: Any) -> FunctionSpec | None:
    if not isinstance(entry, dict):
        raise SpecificationError(f"a function is an object, not {entry!r}")
    entry = cast("dict[str, Any]", entry)
    kind = str(entry.get("functionType", "")).lower()
    if kind == "httpaction":
        return None
    identifier = entry.get("identifier")
    if kind not in ("query", "mutation", "action") or not isinstance(identifier, str):
        raise SpecificationError(f"it is no function of a known type: {json.dumps(entry)[:200]}")
    try:
        path = canonical_path(identifier)
    except ValueError as error:
        raise SpecificationError(str(error)) from None
    visibility = entry.get("visibility")
    is_internal = isinstance(visibility, dict) and visibility.get("kind") == "internal"
    return FunctionSpec(
        path,
        cast("FunctionKind", kind),
        is_internal,
        _arguments(entry.get("args"), path),
        _validator(entry.get("returns"), path, "returns"),
    )


def _arguments(spec: Any, path: str) -> tuple[Field, ...] | None:
    validator = _validator(spec, path, "args")
    match validator.kind:
        case "any":
            return None
        case "object":
            return validator.fields
        case _:
            raise SpecificationError(f"{path}: args is an object, not {validator.kind}")


def _validator(spec: Any, path: str, place: str) -> Validator:
    if spec is None:  # nothing is said: a function without validators
        return ANY
    if not isinstance(spec, Mapping) or not isinstance(spec.get("type"), str):
        raise SpecificationError(f"{path}: {place} is no validator: {spec!r}")
    spec = cast("Mapping[str, Any]", spec)
    kind: str = spec["type"]
    try:
        match kind:
            case "id":
                return Validator(kind, table=_text(spec["tableName"]))
            case "literal":
                return Validator(kind, literal=_literal(spec["value"]))
            case "array":
                return Validator(kind, items=(_validator(spec["value"], path, f"{place}[]"),))
            case "union":
                members = [_validator(m, path, f"{place}|{n}") for n, m in enumerate(spec["value"])]
                return Validator(kind, items=tuple(members))
            case "record":
                keys = _validator(spec["keys"], path, f"{place} keys")
                values = spec["values"]
                return Validator(
                    kind, items=(keys, _validator(values["fieldType"], path, f"{place} values"))
                )
            case "object":
                return Validator(kind, fields=_fields(spec["value"], path, place))
            case _ if kind in SCALARS:
                return Validator(kind)
            case _:
                raise SpecificationError(f"{path}: {place} is of an unknown kind: {kind!r}")
    except (KeyError, TypeError, AttributeError) as error:
        raise SpecificationError(f"{path}: {place}, {kind}, lacks {error}") from None


def _fields(spec: Any, path: str, place: str) -> tuple[Field, ...]:
    fields = cast("Mapping[str, Any]", spec).items()
    return tuple(
        Field(
            name,
            _validator(field["fieldType"], path, f"{place}.{name}"),
            bool(field.get("optional")),
        )
        for name, field in sorted(fields)  # some ways keep their order, others do not
    )


def _literal(value: Any) -> str | bool | int | float:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    # int64 and the floats that JSON has no form for, as Convex's JSON writes them.
    tag, text = next(iter(cast("Mapping[str, str]", value).items()))
    data = base64.b64decode(text)
    if tag == "$integer":
        return int.from_bytes(data, "little", signed=True)
    import struct

    return float(struct.unpack("<d", data)[0])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text, but {value!r}")
    return value
