"""Ready-made hooks for values that have no Convex form: `ConvexClient(url, **hooks.all)`.

Each is a pair `enc_hook` and `dec_hook`, msgspec's names and meaning: what goes out of a value that
Convex does not have, and how a type that `type=` asks for is made of what came in. `combine` makes
one pair of several, your own too. Hooks are asked only for what has no Convex form by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, TypedDict
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hooks(TypedDict):
    """A pair, as `ConvexClient` and `ConvexHttpClient` take it by `**`.

    Attributes:
        enc_hook: makes a Convex value of another object; NotImplementedError for what it does
            not know.
        dec_hook: `dec_hook(type, value)` makes a type of a Convex value; NotImplementedError for
            what it does not know.
    """

    enc_hook: Callable[[Any], Any]
    dec_hook: Callable[[Any, Any], Any]


def combine(*pairs: Hooks) -> Hooks:
    """One pair of several; the first that knows a value or a type is taken."""

    def enc_hook(value: Any) -> Any:
        for pair in pairs:
            try:
                return pair["enc_hook"](value)
            except NotImplementedError:
                continue
        raise NotImplementedError(f"no hook for {type(value).__qualname__}")

    def dec_hook(type: Any, value: Any) -> Any:
        for pair in pairs:
            try:
                return pair["dec_hook"](type, value)
            except NotImplementedError:
                continue
        raise NotImplementedError(f"no hook for {type!r}")

    return Hooks(enc_hook=enc_hook, dec_hook=dec_hook)


def pair(cls: type[Any], encode: Callable[[Any], Any], decode: Callable[[Any, Any], Any]) -> Hooks:
    """A pair for one class and its subclasses.

    Args:
        cls: the class.
        encode: makes a Convex value of an instance.
        decode: makes an instance of the class that is asked for, of a Convex value.
    """

    def enc_hook(value: Any) -> Any:
        if isinstance(value, cls):
            return encode(value)
        raise NotImplementedError(f"{type(value).__qualname__} is no {cls.__qualname__}")

    def dec_hook(type_: Any, value: Any) -> Any:
        if isinstance(type_, type) and issubclass(type_, cls):
            return decode(type_, value)
        raise NotImplementedError(f"{type_!r} is no {cls.__qualname__}")

    return Hooks(enc_hook=enc_hook, dec_hook=dec_hook)


def _milliseconds(value: datetime) -> float:
    if value.tzinfo is None:
        raise ValueError(
            f"{value!r} has no time zone, so that nobody knows which moment it is: give it one, "
            "as in datetime.now(UTC)"
        )
    return (value - _EPOCH) / timedelta(milliseconds=1)


datetime_ms: Hooks = pair(
    datetime,
    _milliseconds,
    lambda cls, value: cls.fromtimestamp(0, UTC) + timedelta(milliseconds=value),
)
"""`datetime` as milliseconds since the epoch, as `_creationTime` is; in UTC on the way in."""

uuid: Hooks = pair(UUID, str, lambda cls, value: cls(value))
"""`UUID` as its text."""

decimal: Hooks = pair(Decimal, str, lambda cls, value: cls(value))
"""`Decimal` as its text, with all digits."""

enum: Hooks = pair(Enum, lambda value: value.value, lambda cls, value: cls(value))
"""An `Enum`'s member by its value."""

path: Hooks = pair(PurePath, str, lambda cls, value: Path(value) if cls is PurePath else cls(value))
"""A `Path` as its text."""

all: Hooks = combine(datetime_ms, uuid, decimal, enum, path)
"""All of these."""
