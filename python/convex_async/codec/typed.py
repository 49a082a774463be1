"""Decoded values as the types that the user asks for."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import Any, Protocol, get_args

import msgspec

from convex_async.errors import InvalidValueError
from convex_async.values import ConvexInt64


class _Convert(Protocol):
    def __call__(self, value: Any, root: str) -> Any: ...


def convert(value: Any, type: Any, root: str) -> Any:
    """The decoded value as `type`.

    Raises:
        InvalidValueError: it does not fit; `.path` tells where.
    """
    return _converter(type)(value, root)


@lru_cache(maxsize=256)
def _converter(type: Any) -> _Convert:
    if "pydantic" in sys.modules and _has_pydantic_model(type):
        return _pydantic_converter(type)

    def from_msgspec(value: Any, root: str) -> Any:
        try:
            return msgspec.convert(value, type, dec_hook=_dec_hook)
        except msgspec.ValidationError as error:
            message, path = _split(str(error), root)
            raise InvalidValueError(f"{path}: {message}", path=path) from error

    return from_msgspec


def _dec_hook(type: type, value: Any) -> Any:
    if type is ConvexInt64 and isinstance(value, int):
        return ConvexInt64(value)
    raise TypeError(f"{type.__name__} can't be made from {value!r}")


def _split(text: str, root: str) -> tuple[str, str]:
    """msgspec's message and the path in it, which it writes as `$.items[0]`."""
    match = re.fullmatch(r"(.*) - at `\$(.*)`", text, re.DOTALL)
    return (match[1], root + match[2]) if match else (text, root)


def _has_pydantic_model(type: Any) -> bool:
    return hasattr(type, "__pydantic_core_schema__") or any(
        map(_has_pydantic_model, get_args(type))
    )


def _pydantic_converter(type: Any) -> _Convert:
    import pydantic

    adapter = pydantic.TypeAdapter(type)

    def from_pydantic(value: Any, root: str) -> Any:
        try:
            return adapter.validate_python(value)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]]
            path = root + "".join(steps)
            raise InvalidValueError(f"{path}: {first['msg']}", path=path) from error

    return from_pydantic
