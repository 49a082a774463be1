"""Function paths by attribute access: `api.admin.users.get_by_id`, as Convex's generated `api`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType, final


@final
class FunctionReference:
    """A function, named by the attributes that lead to it; it goes wherever a path goes.

    `str(api.tasks.list)` is `"tasks:list"`, `str(api.admin.users.get)` is `"admin/users:get"`.
    No name is checked before a call: only the deployment knows which functions there are.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[str, ...] = ()) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> FunctionReference:
        # Python and notebooks look for hooks of these names, and must not find them.
        if name.startswith("_"):
            raise AttributeError(f"write the path of {name!r} as a string, 'module:{name}'")
        return FunctionReference((*self._parts, name))

    def __str__(self) -> str:
        *modules, function = self._parts or ("",)
        return f"{'/'.join(modules)}:{function}" if modules else function

    def __repr__(self) -> str:
        return ".".join(("api", *self._parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionReference) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __reduce__(self) -> tuple[type[FunctionReference], tuple[tuple[str, ...]]]:
        return FunctionReference, (self._parts,)


api: FunctionReference = FunctionReference()
"""The root of all references: `client.query(api.tasks.list)`."""


FunctionPath = NewType("FunctionPath", str)
"""A function path in canonical form: `module:function`, no `.js`."""


# convex-backend crates/common/src/components and sync_types: a module segment, at most 64 bytes.
# Each character is looked at once or twice: paths come from whoever can reach a deployment.
_SEGMENT = re.compile(r"(?=[_.]*[A-Za-z0-9])[A-Za-z0-9_.]+", re.ASCII)


_IDENTIFIER = re.compile(r"(?=_*[A-Za-z0-9])[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


_NAME_LIMIT = 64


# Characters of a whole path, far more than any has, so that looking at one is soon over.
_PATH_LIMIT = 4096


# Characters of a path that is none which an error shows.
SHOWN = 200


def canonical_path(path: str | FunctionReference) -> FunctionPath:
    """The one spelling of a function path: `messages`, `messages.js:default` -> `messages:default`.

    Raises:
        ValueError: the deployment would not parse the path, and would end the session over it.
        TypeError: the path is not a string.

    Source: convex-js src/server/... `canonicalizeUdfPath`; convex-backend `CanonicalizedUdfPath`.
    """
    if isinstance(path, FunctionReference):
        path = str(path)
    if not isinstance(path, str):
        raise TypeError(f"a function path is a string such as 'tasks:list', not {path!r}")
    if len(path) > _PATH_LIMIT:
        raise ValueError(
            f"{_cut(path)!r} is not a function path: it has over {_PATH_LIMIT} characters"
        )
    return _canonical(path)


@lru_cache(maxsize=1024)
def _canonical(path: str) -> FunctionPath:
    module, colon, function = path.rpartition(":")
    if not colon:
        module, function = path, "default"
    module = module.removesuffix(".js")
    segments = module.split("/")
    shown = _cut(path)
    for segment in segments:
        if len(segment) > _NAME_LIMIT - 3 or not _SEGMENT.fullmatch(segment):
            raise ValueError(
                f"{shown!r} is not a function path: the module name {_cut(module)!r} may hold "
                "letters, digits, '_' and '/', as in 'tasks:list' or 'admin/users:get'"
            )
    if "." in segments[-1]:
        right = None if colon else _colon_for_dot(path)
        hint = f"write {_cut(right)!r}" if right else "leave out the file's extension"
        raise ValueError(f"{shown!r} is not a function path: {hint}")
    if len(function) > _NAME_LIMIT or not _IDENTIFIER.fullmatch(function):
        raise ValueError(
            f"{shown!r} is not a function path: {_cut(function)!r} is not the name of a function"
        )
    return FunctionPath(f"{module}:{function}")


def _colon_for_dot(path: str) -> str | None:
    """The path that `tasks.list`, or `api.tasks.list` in quotes, is meant to be."""
    *modules, function = path.removeprefix("api.").split(".")
    if function in ("", "js", "ts", "py") or not modules or not all(modules):
        return None
    return f"{'/'.join(modules)}:{function}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
