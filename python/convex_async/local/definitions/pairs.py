"""Names and values of which a name may come more than once: headers, and parameters of a URL.

Source: the Fetch standard's `Headers` and the URL standard's `URLSearchParams`, which HTTP actions
have in Convex.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

Given: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Pairs, or a mapping whose values may be lists of values."""


class Parameters(Mapping[str, str]):
    """The parameters of a URL: `query["tag"]` is the first value, `query.getall("tag")` all."""

    def __init__(self, pairs: Given = ()) -> None:
        self._pairs = list(_pairs(pairs))

    def __getitem__(self, name: str) -> str:
        for value in self.getall(name):
            return value
        raise KeyError(name)

    def getall(self, name: str) -> list[str]:
        """All values of a name, in their order; none if it is not there."""
        return [value for other, value in self._pairs if other == name]

    def pairs(self) -> list[tuple[str, str]]:
        """All names and values as they came."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name for name, _ in self._pairs})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self) or 'none'}>"  # values may be secrets


class Headers(MutableMapping[str, str]):
    """Headers by name in any case.

    `headers["X-Tag"]` joins the values by commas, and `getall("X-Tag")` has each; setting one
    replaces all of its name, and `add` adds one more, such as a second `Set-Cookie`. Values of
    other types become text as JavaScript writes them: `30` is `"30"`, `True` is `"true"`.
    """

    def __init__(self, pairs: Given = ()) -> None:
        self._pairs = list(_pairs(pairs))

    def __getitem__(self, name: str) -> str:
        values = self.getall(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __setitem__(self, name: str, value: Any) -> None:
        self._remove(name)
        self.add(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._remove(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.getall(name))

    def add(self, name: str, value: Any) -> None:
        """Add a header beside those of its name that are there; a list adds each of its items."""
        self._pairs += _pairs([(name, value)])

    def getall(self, name: str) -> list[str]:
        """All values of a name, in their order; none if it is not there."""
        wanted = name.lower()
        return [value for other, value in self._pairs if other.lower() == wanted]

    def pairs(self) -> list[tuple[str, str]]:
        """All names and values, spelled as they were given."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self) or 'none'}>"  # values may be secrets

    def _remove(self, name: str) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != name.lower()]


def _pairs(given: Given) -> Iterator[tuple[str, str]]:
    if isinstance(given, Parameters | Headers):
        yield from given.pairs()
        return
    items: Any = given.items() if isinstance(given, Mapping) else given
    for name, value in items:
        if isinstance(value, list | tuple):
            for item in value:
                yield name, _text(item)
        else:
            yield name, _text(value)


def _text(value: Any) -> str:
    """A value as JavaScript's `String(value)` writes it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            raise TypeError(f"a header is a text or a number, not {type(value).__name__}")
