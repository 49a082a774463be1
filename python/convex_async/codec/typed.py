"""Decoded values as the types that the user asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, overload

import msgspec

from convex_async import _codec
from convex_async.codec.scalars import Mismatch
from convex_async.codec.shapes import Hook, Shapes
from convex_async.errors import InvalidValueError
from convex_async.values import ConvexInt64

_Make: TypeAlias = Callable[[bytes, str], Any]


class Converter:
    """Makes values of one type; it goes wherever a type goes."""

    __slots__ = ("_make", "type")

    def __init__(self, type: Any, make: _Make) -> None:
        self.type: Any = type
        self._make = make

    def __repr__(self) -> str:
        return f"<Converter to {self.type!r}>"

    def __call__(self, data: bytes, root: str) -> Any:
        """The value of wire bytes.

        Args:
            root: how errors name the value.

        Raises:
            InvalidValueError: it does not fit; `.path` tells where.
        """
        return self._make(data, root)


@overload
def converter(  # pyright: ignore[reportOverlappingOverload]
    type: None, dec_hook: Hook | None = None
) -> None: ...
@overload
def converter(type: Any, dec_hook: Hook | None = None) -> Converter: ...
def converter(type: Any, dec_hook: Hook | None = None) -> Converter | None:
    """What makes values of a type, made once for each; None for None: values as they come.

    Args:
        type: as for `codec.decode`, or a converter already.
        dec_hook: `dec_hook(type, value)`, called for types that are not known here; it raises
            TypeError, ValueError or NotImplementedError for what it can't make.

    Raises:
        TypeError: no value could ever become one: it is no type, a class that nobody can make, or
            a union of classes that nothing tells apart.
    """
    if type is None or isinstance(type, Converter):
        return type
    try:
        return _cached(type, dec_hook)
    except TypeError:  # it can't be hashed, or it is none: then this says so
        return _converter(type, dec_hook)


def decode_as(data: bytes, type: Any, root: str) -> Any:
    """The value of wire bytes as `type`; called by the extension.

    Raises:
        TypeError: as `converter`.
        InvalidValueError: it does not fit; `.path` tells where.
    """
    return converter(type)(data, root)


def _converter(type: Any, dec_hook: Hook | None) -> Converter:
    return Converter(type, _maker(type, dec_hook))


def _maker(type: Any, dec_hook: Hook | None) -> _Make:
    shapes = Shapes(dec_hook)
    convert = shapes.member(type).convert

    def by_shape(data: bytes, root: str) -> Any:
        try:
            return convert(_codec.decode(data, root=root))
        except Mismatch as mismatch:
            path = root + "".join(reversed(mismatch.steps))
            raise InvalidValueError(f"{path}: {mismatch.message}", path=path) from mismatch

    if not shapes.is_native or not _is_known_to_msgspec(type):
        return by_shape
    if not shapes.has_int:
        return _by_msgspec(type)
    if shapes.has_open:
        return by_shape

    def by_either(data: bytes, root: str) -> Any:
        # With ints for whole numbers msgspec makes the object, in a tenth of the time; what it
        # refuses may still be an int to us, as -0.0 is.
        try:
            value = _codec.decode(data, root=root, ints=True)
            return msgspec.convert(value, type, dec_hook=_make_int64)
        except msgspec.ValidationError:
            return by_shape(data, root)

    return by_either


_cached = lru_cache(maxsize=256)(_converter)


def _by_msgspec(type: Any) -> _Make:
    def convert(data: bytes, root: str) -> Any:
        value = _codec.decode(data, root=root)
        try:
            return msgspec.convert(value, type)
        except msgspec.ValidationError as error:
            message, path = _split(str(error), root)
            raise InvalidValueError(f"{path}: {message}", path=path) from error

    return convert


def _is_known_to_msgspec(type: Any) -> bool:
    try:
        msgspec.json.Decoder(type)
    except (TypeError, NameError):
        return False
    return True


def _make_int64(type: Any, value: Any) -> Any:
    if type is ConvexInt64 and isinstance(value, int):
        return ConvexInt64(value)
    raise TypeError(f"{type.__name__} can't be made from {value!r}")


def _split(text: str, root: str) -> tuple[str, str]:
    """msgspec's message and the path in it, which it writes as `$.items[0]`."""
    message, found, path = text.rpartition(" - at `$")
    return (message, root + path[:-1]) if found and path.endswith("`") else (text, root)
