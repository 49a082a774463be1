"""Python names for what Convex names: valid, unlike each other, and of bounded length."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

_NO_WORD = re.compile(r"\W", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Where a word begins within a name: `fooBar`, and `URLPath` before its P.
_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[A-Za-z0-9]+")

# Characters of a type's or function's name: so that no line that is written gets too long.
MAX_NAME = 30

# What is imported into every generated file, in one style or another.
IMPORTED = frozenset(
    (
        "ActionCall",
        "Any",
        "BaseModel",
        "ConfigDict",
        "ConvexModel",
        "Field",
        "Literal",
        "Mapping",
        "MutationCall",
        "NewType",
        "NotRequired",
        "OMITTED",
        "Omitted",
        "PageCall",
        "QueryCall",
        "Struct",
        "TypeAlias",
        "TypedDict",
        "UNSET",
        "Union",
        "UnsetType",
        "annotations",
        "api",
        "field",
        "internal",
    )
)
RESERVED = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | IMPORTED
# What the body of a generated class calls.
IN_CLASSES = frozenset(("Field", "UNSET", "UnsetType", "field"))


class Names:
    """Gives each name once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """The name, or with a number where it was given before."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name


def pascal(*parts: str, limit: int = MAX_NAME) -> str:
    """A type's name of words of any spelling: `admin/users`, `list` -> `AdminUsersList`."""
    words = [word for part in parts for word in _words(part)]
    name = "".join(word[:1].upper() + word[1:] for word in words)
    if not name or not name[0].isalpha():
        name = f"T{name}"
    return name[:limit]


def snake(name: str) -> str:
    """`channelId` -> `channel_id`."""
    return "_".join(word.lower() for word in _words(name)) or "_"


def attribute(name: str, *, is_snake: bool, reserved: frozenset[str] = IN_CLASSES) -> str:
    """A public attribute for a name that travels: `_id` -> `id`, `a b` -> `a_b`.

    Args:
        is_snake: whether to write it as Python does.
        reserved: what it may not be called; such a name gets an underscore at its end.
    """
    found = snake(name) if is_snake else _NO_WORD.sub("_", name)
    found = found.lstrip("_")
    if not found or not found[0].isalpha():
        found = f"field_{found}".rstrip("_")
    return f"{found}_" if found in reserved or keyword.iskeyword(found) else found


def is_plain(name: str) -> bool:
    """Whether it can be written as the name of a variable, and means what it says."""
    return (
        _NAME.fullmatch(name) is not None
        and not keyword.iskeyword(name)
        and not name.startswith("__")
    )


def _words(text: str) -> list[str]:
    return _WORD.findall(_NEW_WORD.sub(" ", text))
