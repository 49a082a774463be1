"""`v`: what arguments, results and documents may be, with the kinds that Convex has."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import msgspec

from convex_async.codec.values import encode
from convex_async.local import texts
from convex_async.local.definitions.display import literal, shown
from convex_async.values import ConvexInt64

TableOf: TypeAlias = Callable[[str], str | None]
"""The table of an id; None of what is no id, or of no table that there is."""


class ValidationError(Exception):
    """A value that is not what a validator says; the text names its path.

    Args:
        text: of `local.texts`, with a place for the `context`.
        filled: what else is filled in.
    """

    def __init__(self, text: str, **filled: object) -> None:
        super().__init__(text, filled)
        self._text = text
        self._filled = filled
        self._path: list[str] = []

    def within(self, part: str) -> ValidationError:
        """The same, with what the value was found in: `.name` or `[0]`."""
        self._path.insert(0, part)
        return self

    def __str__(self) -> str:
        context = texts.CONTEXT.format(path="".join(self._path)) if self._path else ""
        return self._text.format(**self._filled, context=context)


@dataclass(frozen=True)
class Validator:
    """One kind of value; made by `v`.

    Attributes:
        kind: Convex's name of the kind.
        table: for an id.
        value: for a literal.
        items: for an array, a record's keys and values, and the members of a union.
        fields: for an object.
        is_optional: whether a field of it may be absent.
    """

    kind: str
    table: str | None = None
    value: Any = None
    items: tuple[Validator, ...] = ()
    fields: Mapping[str, Validator] = field(default_factory=dict[str, "Validator"])
    is_optional: bool = False

    def check(self, value: Any, table_of: TableOf) -> None:
        """Raise `ValidationError` if the value is not of this kind.

        Source: convex-backend crates/common/src/schemas/validator.rs, check_value_internal.
        """
        match self.kind:
            case "any":
                pass
            case "id" if isinstance(value, str):
                self._check_id(value, table_of)
            case "literal":
                if type(value) is not type(self.value) or not _same(value, self.value):
                    raise ValidationError(
                        texts.OTHER_LITERAL,
                        value=shown(value),
                        validator=replace(self, is_optional=False),
                    )
            case "array" if isinstance(value, list):
                for index, item in enumerate(value):
                    _check_within(f"[{index}]", self.items[0], item, table_of)
            case "object" if isinstance(value, dict):
                check_fields(self.fields, value, table_of)
            case "record" if isinstance(value, dict):
                for name, item in sorted(value.items()):
                    _check_within(".keys()", self.items[0], name, table_of)
                    _check_within(".values()", self.items[1], item, table_of)
            case "union" if len(self.items) == 1:
                self.items[0].check(value, table_of)
            case "union":
                self._check_union(value, table_of)
            case _:
                if self.kind not in _SCALARS or not _SCALARS[self.kind](value):
                    raise self._mismatch(value)

    def _check_id(self, value: str, table_of: TableOf) -> None:
        found = table_of(value)
        if found is None:
            raise self._mismatch(value)
        if found == self.table:
            return
        if found.startswith("_"):
            raise ValidationError(texts.SYSTEM_TABLE, id=value, table=self.table)
        raise ValidationError(texts.OTHER_TABLE, id=value, table=self.table, found=found)

    def _check_union(self, value: Any, table_of: TableOf) -> None:
        for member in self.items:
            try:
                member.check(value, table_of)
            except ValidationError:
                continue
            return
        raise self._mismatch(value)

    def _mismatch(self, value: Any) -> ValidationError:
        return ValidationError(
            texts.NO_MATCH, value=shown(value), validator=replace(self, is_optional=False)
        )

    def can_have(self, path: list[str]) -> bool:
        """Whether a value of this kind can have a field at the end of this path.

        Source: convex-backend crates/common/src/schemas/validator.rs, can_contain_field.
        """
        if not path or self.kind == "any":
            return True
        if self.kind == "union":
            return any(member.can_have(path) for member in self.items)
        within = self.fields.get(path[0]) if self.kind == "object" else None
        return within is not None and within.can_have(path[1:])

    def __str__(self) -> str:
        match self.kind:
            case "id":
                inner = f'"{self.table}"'
            case "literal":
                inner = literal(self.value)
            case "object":
                fields = sorted(self.fields.items())
                inner = "{" + ", ".join(f"{name}: {v}" for name, v in fields) + "}"
            case _:
                inner = ", ".join(map(str, self.items))
        text = f"v.{self.kind}({inner})"
        return f"v.optional({text})" if self.is_optional else text

    def to_json(self) -> dict[str, Any]:
        """The validator as Convex's function specification writes it."""
        kinds = {"int64": "bigint", "float64": "number"}
        spec: dict[str, Any] = {"type": kinds.get(self.kind, self.kind)}
        match self.kind:
            case "id":
                spec["tableName"] = self.table
            case "literal":
                spec["value"] = msgspec.json.decode(encode(self.value))
            case "array":
                spec["value"] = self.items[0].to_json()
            case "union":
                spec["value"] = [item.to_json() for item in self.items]
            case "record":
                spec["keys"] = self.items[0].to_json()
                spec["values"] = {"fieldType": self.items[1].to_json(), "optional": False}
            case "object":
                spec["value"] = fields_to_json(self.fields)
            case _:
                pass
        return spec


# Also the system's: results are documents. Source: convex-backend crates/sync_types identifier.rs.
_FIELD_NAME = re.compile(r"(?=_*[A-Za-z0-9])[A-Za-z_][A-Za-z0-9_]{0,1023}", re.ASCII)

_SCALARS: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "float64": lambda value: isinstance(value, float),
    "int64": lambda value: isinstance(value, ConvexInt64),
    "string": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
}


def _same(value: Any, literal: Any) -> bool:
    """As the server compares numbers: NaN is itself, and -0.0 is not 0.0."""
    if isinstance(value, float) and not isinstance(value, ConvexInt64):
        return struct.pack("d", value) == struct.pack("d", literal)
    return bool(value == literal)


def _check_within(part: str, validator: Validator, value: Any, table_of: TableOf) -> None:
    try:
        validator.check(value, table_of)
    except ValidationError as error:
        raise error.within(part) from None


def check_fields(
    fields: Mapping[str, Validator], value: Mapping[str, Any], table_of: TableOf
) -> None:
    """Raise `ValidationError` unless each field is of its kind and none is missing or extra."""
    for name, validator in sorted(fields.items()):
        if name in value:
            _check_within(f".{name}", validator, value[name], table_of)
        elif not validator.is_optional:
            raise _fields_mismatch(texts.MISSING_FIELD, name, fields, value)
    for name in sorted(value):
        if name not in fields:
            raise _fields_mismatch(texts.EXTRA_FIELD, name, fields, value)


def _fields_mismatch(
    text: str, name: str, fields: Mapping[str, Validator], value: Mapping[str, Any]
) -> ValidationError:
    validator = Validator("object", fields=fields)
    return ValidationError(text, field=name, value=shown(value), validator=validator)


def as_fields(args: object, what: str) -> dict[str, Validator] | None:
    """The validators of arguments: of a mapping, or of `v.object(...)`; None of `v.any()`.

    Raises:
        TypeError: they are something else.
    """
    if args is None or (isinstance(args, Validator) and args.kind == "any"):
        return None
    if isinstance(args, Validator) and args.kind == "object":
        return dict(args.fields)
    if isinstance(args, Mapping):
        return _fields(args, what)
    raise TypeError(f"{what}: a validator per name, such as {{'text': v.string()}}, not {args!r}")


def as_validator(validator: object, what: str) -> Validator:
    """A validator, or the one of an object with these fields.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(validator, Validator):
        return validator
    if isinstance(validator, Mapping):
        return Validator("object", fields=_fields(validator, what))
    raise TypeError(f"{what}: a validator, such as v.string(), not {validator!r}")


def _fields(fields: Mapping[Any, object], what: str) -> dict[str, Validator]:
    for name in fields:
        if not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
            raise TypeError(f"{what}: {name!r} is no name of a field")
    return {name: as_validator(part, f"{what}, {name!r}") for name, part in fields.items()}


def fields_to_json(fields: Mapping[str, Validator]) -> dict[str, Any]:
    """The fields of an object as Convex's function specification writes them."""
    return {
        name: {"fieldType": validator.to_json(), "optional": validator.is_optional}
        for name, validator in fields.items()
    }


def _required(what: str, validator: Validator) -> Validator:
    found = as_validator(validator, what)
    if found.is_optional:
        raise ValueError(f"{what}: only the fields of an object can be optional, not {found}")
    return found


def _can_be_names(keys: Validator) -> bool:
    if keys.kind == "union":
        return all(map(_can_be_names, keys.items))
    return keys.kind in ("string", "id")


class Validators:
    """The validators, under the names that Convex gives them."""

    def id(self, table: str) -> Validator:
        """An id of a document of this table."""
        if not isinstance(table, str) or not table:
            raise TypeError(f"v.id() takes the name of a table, not {table!r}")
        return Validator("id", table=table)

    def null(self) -> Validator:
        return Validator("null")

    def number(self) -> Validator:
        """A float64; a Python `int` or `float`."""
        return Validator("float64")

    float64 = number

    def int64(self) -> Validator:
        """An int64: `ConvexInt64`."""
        return Validator("int64")

    def boolean(self) -> Validator:
        return Validator("boolean")

    def string(self) -> Validator:
        return Validator("string")

    def bytes(self) -> Validator:
        return Validator("bytes")

    def any(self) -> Validator:
        return Validator("any")

    def array(self, items: Validator) -> Validator:
        """A list of these."""
        return Validator("array", items=(_required("v.array()", items),))

    def object(self, fields: Mapping[str, Validator]) -> Validator:
        """An object with these fields and no others."""
        return as_validator(fields, "v.object()")

    def record(self, keys: Validator, values: Validator) -> Validator:
        """An object with any names that match `keys`: texts or ids, and no literals.

        Source: convex-backend crates/common/src/schemas/json.rs and validator.rs, for what keys
        can be.
        """
        what = "v.record()"
        names = _required(what, keys)
        if not _can_be_names(names):
            raise ValueError(f"{what}: the names of a record are texts or ids, not {names}")
        return Validator("record", items=(names, _required(what, values)))

    def union(self, *members: Validator) -> Validator:
        """One of these."""
        return Validator("union", items=tuple(_required("v.union()", m) for m in members))

    def literal(self, value: str | float | bool | ConvexInt64) -> Validator:
        """This value alone."""
        if not isinstance(value, str | int | float):
            raise TypeError(f"v.literal() takes a text, a number or a bool, not {value!r}")
        plain = type(value) is int
        return Validator("literal", value=float(value) if plain else value)

    def optional(self, validator: Validator) -> Validator:
        """A field that may be absent."""
        return replace(as_validator(validator, "v.optional()"), is_optional=True)


v: Validators = Validators()
