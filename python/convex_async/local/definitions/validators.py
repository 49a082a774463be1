"""`v`: what arguments, results and documents may be, with the kinds that Convex has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from convex_async.values import ConvexInt64

IsId: TypeAlias = Callable[[object, str], bool]
"""Whether a value is an id of a table."""


class ValidationError(Exception):
    """A value that is not what a validator says; the text names its path."""


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

    def check(self, value: Any, is_id: IsId, path: str = "") -> None:
        """Raise `ValidationError` if the value is not of this kind."""
        match self.kind:
            case "any":
                pass
            case "id":
                if not is_id(value, self.table or ""):
                    raise self._mismatch(value, path)
            case "literal":
                if type(value) is not type(self.value) or value != self.value:
                    raise self._mismatch(value, path)
            case "array":
                if not isinstance(value, list):
                    raise self._mismatch(value, path)
                for index, item in enumerate(value):
                    self.items[0].check(item, is_id, f"{path}[{index}]")
            case "object":
                if not isinstance(value, dict):
                    raise self._mismatch(value, path)
                check_fields(self.fields, value, is_id, path)
            case "record":
                if not isinstance(value, dict):
                    raise self._mismatch(value, path)
                for name, item in value.items():
                    self.items[0].check(name, is_id, f"{path}.{name}")
                    self.items[1].check(item, is_id, f"{path}.{name}")
            case "union":
                self._check_union(value, is_id, path)
            case _:
                if not _SCALARS[self.kind](value):
                    raise self._mismatch(value, path)

    def _check_union(self, value: Any, is_id: IsId, path: str) -> None:
        for member in self.items:
            try:
                member.check(value, is_id, path)
            except ValidationError:
                continue
            return
        raise self._mismatch(value, path)

    def _mismatch(self, value: Any, path: str) -> ValidationError:
        return ValidationError(
            f"Value does not match validator.\nPath: {path or '(root)'}\nValue: {value!r}\n"
            f"Validator: {self}"
        )

    def __str__(self) -> str:
        match self.kind:
            case "id":
                inner = repr(self.table)
            case "literal":
                inner = repr(self.value)
            case "object":
                inner = "{" + ", ".join(f"{name}: {v}" for name, v in self.fields.items()) + "}"
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
                spec["value"] = self.value
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


_SCALARS: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "float64": lambda value: isinstance(value, float),
    "int64": lambda value: isinstance(value, ConvexInt64),
    "string": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
}


def check_fields(
    fields: Mapping[str, Validator], value: Mapping[str, Any], is_id: IsId, path: str = ""
) -> None:
    """Raise `ValidationError` unless each field is of its kind and none is missing or extra."""
    for name, validator in fields.items():
        if name in value:
            validator.check(value[name], is_id, f"{path}.{name}")
        elif not validator.is_optional:
            raise ValidationError(
                f"Object is missing the required field `{name}`. Consider wrapping the field "
                f"validator in `v.optional(...)` if this is expected.\nPath: {path or '(root)'}"
            )
    for name in value:
        if name not in fields:
            raise ValidationError(
                f"Object contains extra field `{name}` that is not in the validator.\n"
                f"Path: {path or '(root)'}"
            )


def fields_to_json(fields: Mapping[str, Validator]) -> dict[str, Any]:
    """The fields of an object as Convex's function specification writes them."""
    return {
        name: {"fieldType": validator.to_json(), "optional": validator.is_optional}
        for name, validator in fields.items()
    }


class Validators:
    """The validators, under the names that Convex gives them."""

    def id(self, table: str) -> Validator:
        """An id of a document of this table."""
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
        return Validator("array", items=(items,))

    def object(self, fields: Mapping[str, Validator]) -> Validator:
        """An object with these fields and no others."""
        return Validator("object", fields=dict(fields))

    def record(self, keys: Validator, values: Validator) -> Validator:
        """An object with any names that match `keys`."""
        return Validator("record", items=(keys, values))

    def union(self, *members: Validator) -> Validator:
        return Validator("union", items=members)

    def literal(self, value: str | float | bool | ConvexInt64) -> Validator:
        """This value alone."""
        plain = type(value) is int
        return Validator("literal", value=float(value) if plain else value)

    def optional(self, validator: Validator) -> Validator:
        """A field that may be absent."""
        return Validator(
            validator.kind,
            validator.table,
            validator.value,
            validator.items,
            validator.fields,
            is_optional=True,
        )


v = Validators()
