"""Function paths by attribute access: `api.admin.users.get_by_id`, as Convex's generated `api`."""

from __future__ import annotations

from typing import final


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


api = FunctionReference()
"""The root of all references: `client.query(api.tasks.list)`."""
