"""The fields of the classes that users ask for: dataclasses, Structs, TypedDicts, NamedTuples."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal, NotRequired, Required, get_args, get_origin

import msgspec
from msgspec import Struct


class Field(Struct, frozen=True):
    """One field.

    Attributes:
        name: the class's name for it.
        type: its annotation, without `Required` and the like.
        is_required: whether an object without it is none of the class.
    """

    name: str
    type: Any
    is_required: bool


class Fields(Struct, frozen=True):
    """What an object needs to become one of a class.

    Attributes:
        by_key: the fields, by their names in the object.
        tag: the field that names the class in a tagged union, and its value; None for none.
        is_closed: whether other fields are refused.
    """

    by_key: dict[str, Field]
    tag: tuple[str, str | int] | None = None
    is_closed: bool = False

    @property
    def required(self) -> set[str]:
        """The names that an object has to have."""
        names = {key for key, field in self.by_key.items() if field.is_required}
        return names if self.tag is None else names | {self.tag[0]}

    def differs_from(self, other: Fields) -> bool:
        """Whether no object fits both, or the one with more fields of its own can be taken."""
        if self.required - other.required - set(other.by_key):
            return True
        if other.required - self.required - set(self.by_key):
            return True
        if self.tag is not None and other.tag is not None and self.tag[0] == other.tag[0]:
            return self.tag[1] != other.tag[1]
        return any(
            _literals(self.by_key[key]).isdisjoint(_literals(other.by_key[key]))
            for key in self.by_key.keys() & other.by_key.keys()
            if _literals(self.by_key[key]) and _literals(other.by_key[key])
        )


def is_named_tuple(cls: Any) -> bool:
    """Whether it is a class of `typing.NamedTuple`."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def fields_of(cls: Any) -> Fields | None:
    """The fields of a class, or None if it is none that is made of an object.

    Raises:
        TypeError: an annotation names what is not there.
    """
    if not isinstance(cls, type):
        return None
    if issubclass(cls, Struct):
        return None if cls.__struct_config__.array_like else _of_struct(cls)
    if dataclasses.is_dataclass(cls):
        hints = _hints(cls)
        return Fields(
            {
                field.name: Field(field.name, hints[field.name], _has_no_default(field))
                for field in dataclasses.fields(cls)
                if field.init
            }
        )
    if typing.is_typeddict(cls):
        hints = _hints(cls)
        required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
        return Fields({name: Field(name, _bare(hints[name]), name in required) for name in hints})
    if is_named_tuple(cls):
        hints = _hints(cls)
        defaults = getattr(cls, "_field_defaults", {})
        return Fields(
            {
                name: Field(name, hints.get(name, Any), name not in defaults)
                for name in getattr(cls, "_fields", ())
            }
        )
    return None


def _of_struct(cls: type[Struct]) -> Fields:
    config = cls.__struct_config__
    hints = _hints(cls)  # `msgspec.structs.fields` leaves names in text as they are
    by_key = {
        field.encode_name: Field(field.name, hints[field.name], field.required)
        for field in msgspec.structs.fields(cls)
    }
    tag = None if config.tag is None else (config.tag_field or "type", config.tag)
    return Fields(by_key, tag, config.forbid_unknown_fields)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the annotations of {cls.__qualname__} name {error.name!r}, which is not to be found "
            "where the class is defined"
        ) from error


def _bare(annotation: Any) -> Any:
    """Without `Required`, `NotRequired` and `ReadOnly` around it."""
    origin = get_origin(annotation)
    if origin in (Required, NotRequired) or getattr(origin, "_name", "") == "ReadOnly":
        return _bare(get_args(annotation)[0])
    return annotation


def _literals(field: Field) -> set[Any]:
    """The values that a field may have, if they are listed."""
    return set(get_args(field.type)) if get_origin(field.type) is Literal else set()
