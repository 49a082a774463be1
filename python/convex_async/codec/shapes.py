"""Converters for what msgspec alone can't make: a tree of functions, built once for a type.

They work on values as decoding makes them, so that `Any` gives a value as it came and `int` takes
each whole number. Unions may hold several classes, as long as their fields tell them apart.
"""

from __future__ import annotations

import types
import typing
from collections import abc
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from itertools import combinations
from typing import Annotated, Any, Literal, NewType, TypeAlias, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from convex_async.codec.classes import Fields, fields_of, is_named_tuple
from convex_async.codec.scalars import (
    ALL,
    NUMBERS,
    SCALARS,
    Convert,
    Member,
    Mismatch,
    array,
    by_msgspec,
    fields_in,
    int64,
    integer,
    kind_of,
    literal,
    moment,
    none,
)
from convex_async.values import ConvexInt64, ConvexMap, ConvexSet

Hook: TypeAlias = Callable[[Any, Any], Any]
"""Makes a value of a type: `dec_hook(type, value)`, as msgspec's."""

_LISTS = {
    list: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Iterable: list,
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
    ConvexSet: ConvexSet,
}
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
_WRAPPERS = ("Required", "NotRequired", "ReadOnly", "Final")


class Shapes:
    """Builds converters.

    Args:
        hook: makes values of types that nobody here knows; None for none.

    Attributes:
        has_int: whether `int` is among what was built.
        has_open: whether a part is left as it comes (`Any`).
        is_native: whether msgspec makes all of it as it is wanted here.
    """

    def __init__(self, hook: Hook | None) -> None:
        self._hook = hook
        self._under_way: dict[Any, list[Member]] = {}
        self.has_int: bool = False
        self.has_open: bool = False
        self.is_native: bool = True

    def member(self, type: Any) -> Member:
        """The converter of a type.

        Raises:
            TypeError: no value could ever become one.
        """
        type = _plain(type)
        try:
            hash(type)
        except TypeError:
            return self._member(type)
        if (found := self._under_way.get(type)) is not None:  # a type that holds itself
            return Member(lambda value: found[0].convert(value), loose=ALL)
        slot = self._under_way[type] = []
        try:
            slot.append(self._member(type))
        finally:
            del self._under_way[type]
        return slot[0]

    def _member(self, type: Any) -> Member:
        if (scalar := self._scalar(type)) is not None:
            return scalar
        origin, args = get_origin(type) or type, get_args(type)
        if origin is typing.Union or origin is types.UnionType:
            return self._union([self.member(arg) for arg in args])
        if origin is Literal:
            return self._listed(args)
        if origin is Annotated:  # with a `Meta`
            inner, bounded = self.member(args[0]), by_msgspec(type)
            return Member(lambda value: bounded(inner.convert(value)), inner.exact, inner.loose)
        if origin is tuple:
            return self._tuple(args)
        if origin in _LISTS:
            self.is_native &= origin is not ConvexSet
            return self._list(_LISTS[origin], args)
        if origin in _MAPPINGS:
            return self._mapping(args)
        if origin is ConvexMap:
            return self._pairs(args)
        if hasattr(type, "__pydantic_core_schema__"):
            return self._pydantic(type)
        return self._class(type, origin, args)

    def _listed(self, values: tuple[Any, ...]) -> Member:
        self.has_int |= any(isinstance(value, int) for value in values)
        return literal(values)

    def _scalar(self, type: Any) -> Member | None:
        if type is Any or type is object or isinstance(type, TypeVar):
            self.has_open = True
            return Member(lambda value: value, loose=ALL)
        if type is None or type is types.NoneType:
            return Member(none, frozenset({"null"}))
        if type is int:
            self.has_int = True
            return Member(integer, frozenset({"int64"}), frozenset({"float64"}))
        if type is ConvexInt64:
            self.has_int = True
            return Member(int64, frozenset({"int64"}), frozenset({"float64"}))
        if type in SCALARS:
            return SCALARS[type]
        if type is msgspec.UnsetType:  # of a field that may be absent: no value is one
            return Member(_never)
        if type is datetime:
            self.is_native = False
            return Member(moment, NUMBERS, frozenset({"string"}))
        return None

    def _list(self, make: Callable[[Any], Any], args: tuple[Any, ...]) -> Member:
        item = self.member(args[0] if args else Any).convert

        def convert(value: Any) -> Any:
            return make([_item(item, index, part) for index, part in enumerate(array(value))])

        return Member(convert, frozenset({"array"}))

    def _tuple(self, args: tuple[Any, ...]) -> Member:
        if not args or (len(args) == 2 and args[1] is Ellipsis):
            return self._list(tuple, args)
        parts = [self.member(arg).convert for arg in args]

        def convert(value: Any) -> Any:
            items = array(value)
            if len(items) != len(parts):
                raise Mismatch(f"Expected `array` of length {len(parts)}, got {len(items)}")
            return tuple(_item(parts[index], index, part) for index, part in enumerate(items))

        return Member(convert, frozenset({"array"}))

    def _mapping(self, args: tuple[Any, ...]) -> Member:
        key, item = (self.member(arg).convert for arg in args or (str, Any))

        def convert(value: Any) -> Any:
            fields = fields_in(value)
            return {_field(key, name, name): _field(item, name, fields[name]) for name in fields}

        return Member(convert, frozenset({"object"}))

    def _pairs(self, args: tuple[Any, ...]) -> Member:
        self.is_native = False
        pairs = self._list(ConvexMap, (types.GenericAlias(tuple, args or (Any, Any)),))
        return pairs

    def _pydantic(self, type: Any) -> Member:
        self.is_native = False
        import pydantic

        adapter = pydantic.TypeAdapter(type)

        def convert(value: Any) -> Any:
            try:
                return adapter.validate_python(value)
            except pydantic.ValidationError as error:
                first = error.errors(include_url=False)[0]
                mismatch = Mismatch(first["msg"])
                for step in reversed(first["loc"]):
                    mismatch.at(_step(step))
                raise mismatch from error

        return Member(convert, frozenset({"object"}), ALL)

    def _class(self, type: Any, origin: Any, args: tuple[Any, ...]) -> Member:
        if isinstance(origin, _TYPE) and issubclass(origin, Enum):
            listed = self._listed(tuple(member.value for member in origin))
            return Member(lambda value: origin(listed.convert(value)), listed.exact)
        fields = fields_of(origin)
        if fields is not None:
            return self._fields(origin, fields, args)
        if isinstance(origin, _TYPE) and issubclass(origin, Struct):  # one that travels as an array
            for field in msgspec.structs.fields(origin):
                self.member(field.type)
            return Member(by_msgspec(type), frozenset({"array"}))
        if not isinstance(origin, _TYPE):
            raise TypeError(f"{type!r} is not a type")
        if self._hook is None:
            raise TypeError(
                f"{origin.__qualname__} can't be made from a Convex value: ask for a msgspec "
                "Struct, dataclass, TypedDict, NamedTuple or pydantic model, or give dec_hook"
            )
        hook = self._hook
        self.is_native = False

        def convert(value: Any) -> Any:
            if isinstance(value, origin):
                return value
            try:
                return hook(type, value)
            except (TypeError, ValueError, NotImplementedError) as error:
                raise Mismatch(str(error) or f"it does not become {origin.__name__}") from error

        return Member(convert, loose=ALL)

    def _fields(self, origin: Any, fields: Fields, args: tuple[Any, ...]) -> Member:
        named = dict(zip(getattr(origin, "__parameters__", ()), args, strict=False))
        parts = {
            key: (field.name, self.member(_filled(field.type, named)).convert)
            for key, field in fields.by_key.items()
        }
        as_dict = typing.is_typeddict(origin)
        as_tuple = is_named_tuple(origin)
        self.is_native &= not as_tuple

        def convert(value: Any) -> Any:
            if as_tuple and isinstance(value, list):
                value = dict(zip(origin._fields, value, strict=False))
            given = fields_in(value)
            if fields.tag is not None and given.get(fields.tag[0]) != fields.tag[1]:
                raise Mismatch(f"Expected `{fields.tag[1]}`, got {given.get(fields.tag[0])!r}").at(
                    _step(fields.tag[0])
                )
            made = {}
            for key, (name, part) in parts.items():
                if key in given:
                    made[name] = _field(part, key, given[key])
                elif fields.by_key[key].is_required:
                    raise Mismatch(f"Object missing required field `{key}`")
            if fields.is_closed:
                known = parts.keys() if fields.tag is None else parts.keys() | {fields.tag[0]}
                for key in given.keys() - known:
                    raise Mismatch(f"Object contains unknown field `{key}`")
            if as_dict:
                return made
            try:
                return origin(**made)
            except (TypeError, ValueError) as error:  # `__post_init__` has its own rules
                raise Mismatch(str(error)) from error

        kinds = {"object", "array"} if as_tuple else {"object"}
        return Member(convert, frozenset(kinds), fields=fields)

    def _union(self, members: list[Member]) -> Member:
        classes = [member for member in members if member.fields is not None]
        for one, other in combinations(classes, 2):
            assert one.fields is not None
            assert other.fields is not None
            if not one.fields.differs_from(other.fields):
                names = ", ".join(sorted(one.fields.by_key))
                raise TypeError(
                    f"a union of two classes that an object with {names} may both be: give them a "
                    "tag, or a field with a Literal that tells them apart"
                )
        if len([member for member in classes if member.fields and not member.fields.tag]) > 1:
            self.is_native = False

        def convert(value: Any) -> Any:
            kind = kind_of(value)
            fitting = [member for member in members if kind in member.exact]
            fitting += [member for member in members if kind in member.loose]
            if kind == "object":
                fitting.sort(key=lambda member: _strangers(member, value))
            mismatch = None
            for member in fitting:
                try:
                    return member.convert(value)
                except Mismatch as found:
                    mismatch = mismatch or found
            if mismatch is not None:
                raise mismatch
            raise Mismatch(f"Expected one of the union's types, got `{kind}`")

        exact = frozenset().union(*(member.exact for member in members))
        return Member(convert, exact, frozenset().union(*(m.loose for m in members)))


_TYPE = type


def _never(value: Any) -> Any:
    raise Mismatch(f"Expected no value, got `{kind_of(value)}`")


def _plain(type: Any) -> Any:
    """Without what says nothing of the value: aliases, `NewType`, `Annotated`, `Final`."""
    while True:
        if isinstance(type, NewType):
            type = type.__supertype__
        elif get_origin(type) is Annotated:
            if any(isinstance(note, msgspec.Meta) for note in type.__metadata__):
                return type
            type = type.__origin__
        elif _TYPE(type).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
            type = type.__value__
        elif getattr(get_origin(type), "_name", None) in _WRAPPERS:
            type = get_args(type)[0]
        else:
            return type


def _filled(type: Any, named: dict[Any, Any]) -> Any:
    """A field's type with what a generic class was given for its variables."""
    if isinstance(type, TypeVar):
        return named.get(type, Any)
    variables = getattr(type, "__parameters__", ())
    return type[tuple(named.get(one, Any) for one in variables)] if variables and named else type


def _strangers(member: Member, value: dict[str, Any]) -> int:
    """How many of an object's fields the member does not know."""
    return 0 if member.fields is None else len(value.keys() - member.fields.by_key.keys())


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{step!r}]"


def _item(convert: Convert, index: int, value: Any) -> Any:
    try:
        return convert(value)
    except Mismatch as mismatch:
        raise mismatch.at(_step(index)) from mismatch.__cause__


def _field(convert: Convert, name: str, value: Any) -> Any:
    try:
        return convert(value)
    except Mismatch as mismatch:
        raise mismatch.at(_step(name)) from mismatch.__cause__
