"""One Python file for the functions of a deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from convex_async.codegen.annotations import Style, Types
from convex_async.codegen.layout import doc, fits, imports, quoted, spread
from convex_async.codegen.names import IMPORTED, MAX_NAME, Names, attribute, pascal, snake
from convex_async.codegen.specification import (
    Field,
    FunctionSpec,
    Validator,
    fingerprint,
)
from convex_async.codegen.validators import describe, int64s_of

__all__ = ["Generated", "Options", "Style", "generate"]

CALLS = {"query": "QueryCall", "mutation": "MutationCall", "action": "ActionCall"}
MODULES = {
    "collections.abc": ("Mapping",),
    "typing": (*("Any", "Literal", "NewType", "NotRequired", "TypeAlias", "TypedDict", "Union"),),
    "msgspec": ("UNSET", "Struct", "UnsetType", "field"),
    "pydantic": ("Field",),
    "convex_async.calls": (
        *("OMITTED", "ActionCall", "MutationCall", "Omitted", "PageCall", "QueryCall"),
    ),
    "convex_async.codegen.pydantic_model": ("ConvexModel",),
}
STANDARD = ("collections.abc", "typing")


class Options(Struct, frozen=True):
    """How the file is written.

    Attributes:
        style: what objects become: TypedDicts, frozen msgspec Structs, or pydantic models.
        is_snake: Python's spelling (`channel_id`) for functions, arguments and, but in TypedDicts,
            fields; Convex's own travels.
        include_internal: internal functions too, as `internal`.
        source: where the specification is from, for the file's first line.
    """

    style: Style = "typeddict"
    is_snake: bool = False
    include_internal: bool = False
    source: str = "a function specification"


class Generated(Struct, frozen=True):
    """A file, and what it could not say.

    Attributes:
        text: the whole file.
        warnings: a line each; nothing in them is wrong, but less is typed than could be.
    """

    text: str
    warnings: list[str]


def generate(functions: Sequence[FunctionSpec], options: Options | None = None) -> Generated:
    """Write the file for these functions, the same for the same functions on every machine.

    Args:
        functions: as `specification.parse` gives them.
    """
    return _File(options or Options()).write(functions)


@dataclass
class _Namespace:
    """A module or a folder of functions."""

    functions: list[FunctionSpec] = field(default_factory=list[FunctionSpec])
    inner: dict[str, _Namespace] = field(default_factory=dict[str, "_Namespace"])


class _File:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.types = Types(options.style, options.is_snake)
        self.blocks: list[list[str]] = []
        self.names = Names()

    def write(self, functions: Sequence[FunctionSpec]) -> Generated:
        wanted = [f for f in functions if self.options.include_internal or not f.is_internal]
        written: dict[str, str] = {function.path: self.function(function) for function in wanted}
        roots = {"api": [f for f in wanted if not f.is_internal]}
        if self.options.include_internal:
            roots["internal"] = [f for f in wanted if f.is_internal]
        for root, found in roots.items():
            name = self.namespace(_tree(found), (root,), written)
            self.blocks.append([f"{root} = {name}"])
        header = [
            f"# Written by convex-async codegen from {self.options.source}: do not edit.",
            f"# Style {self.options.style}, sha256 {fingerprint(wanted)}",
            "",
            "from __future__ import annotations",
        ]
        blocks = [*self.types.blocks, *self.blocks]
        lines = [*header, *self.imports(), *_joined(blocks)]
        return Generated("\n".join(lines) + "\n", self.types.warnings)

    def imports(self) -> list[str]:
        groups: list[list[str]] = [[], []]
        for module, names in sorted(MODULES.items()):
            used = [name for name in names if name in self.types.used]
            if used:
                groups[0 if module in STANDARD else 1] += imports(module, used)
        return [line for group in groups if group for line in ("", *group)]

    # Functions

    def function(self, function: FunctionSpec) -> str:
        """Write what makes the calls of a function; its name."""
        module, _, own = function.path.rpartition(":")
        given = self.names.give("_" + f"{snake(module)}_{snake(own)}"[: MAX_NAME - 4])
        result, call = self.result(function, pascal(module, own))
        docstring = [f"{function.kind.capitalize()} `{function.path}`."]
        arguments = [f for f in function.args or () if not _is_filled_in(function, f)]
        if function.args is None:
            self.types.use("Any")
            parameters = [f"args: {self.types.use('Mapping')}[str, Any] | None = None", "/"]
            values, places = ["args"], None
        else:
            arguments.sort(key=lambda one: (one.is_optional, one.name))
            taken = Names(("api", "internal"))
            named = [(one, taken.give(self.parameter(one.name))) for one in arguments]
            parameters = [self.declared(one, name, pascal(module, own)) for one, name in named]
            parameters = ["*", *parameters] if parameters else []
            items = [f"{quoted(one.name)}: {name}" for one, name in named]
            values = ["\n".join(spread("{", items, "}"))] if items else []
            places = int64s_of(arguments)
            if named:
                docstring += ["", "Args:", *(_documented(one, name) for one, name in named)]
        values.insert(0, quoted(function.path))
        if result not in ("None", "Any") and self.options.style != "typeddict":
            values.append(f"type={result}")
        if places is not None:
            values.append(f"int64={places}")
        head = f"def {given}() -> {call}[{result}]:"
        signature = spread(f"def {given}(", parameters, f") -> {call}[{result}]:")
        if parameters and parameters[-1] == "/":
            signature[-2] = "    /,"
        self.blocks.append(
            [
                *(signature if parameters else [head]),
                *doc(docstring, "    "),
                *spread(f"return {call}(", values, ")", "    "),
            ]
        )
        return given

    def result(self, function: FunctionSpec, name: str) -> tuple[str, str]:
        """The type that a function gives, and the class of its calls."""
        returns, call = function.returns, CALLS[function.kind]
        if function.is_paginated:
            call = "PageCall"
            page = next((f.validator for f in returns.fields if f.name == "page"), None)
            is_array = page is not None and page.kind == "array"
            returns = page.items[0] if page is not None and is_array else Validator("any")
        annotation = self.types.annotation(returns, pascal(name, "Result", limit=MAX_NAME))
        if self.options.style != "typeddict" and annotation not in ("None", "Any"):
            annotation = self.types.alias(annotation, pascal(name, "Result"))
        return annotation, self.types.use(call)

    def parameter(self, name: str) -> str:
        return attribute(name, is_snake=self.options.is_snake, reserved=IMPORTED)

    def declared(self, one: Field, name: str, function: str) -> str:
        annotation = self.types.annotation(one.validator, pascal(function, one.name))
        if not one.is_optional:
            return f"{name}: {annotation}"
        self.types.use("OMITTED")
        return f"{name}: {annotation} | {self.types.use('Omitted')} = OMITTED"

    # Namespaces

    def namespace(self, tree: _Namespace, path: tuple[str, ...], written: Mapping[str, str]) -> str:
        """Write the class that holds the functions of a module, after those within; its name."""
        members = Names()
        lines: list[str] = []
        for segment, inner in sorted(tree.inner.items()):
            name = self.namespace(inner, (*path, segment), written)
            own = members.give(attribute(segment, is_snake=False, reserved=frozenset()))
            lines.append(f"    {own} = {name}")
        for function in tree.functions:
            wanted = function.path.rpartition(":")[2]
            own = members.give(
                attribute(wanted, is_snake=self.options.is_snake, reserved=frozenset())
            )
            line = f"    {own} = staticmethod({written[function.path]})"
            lines += (
                [line]
                if fits(line)
                else [f"    {own} = staticmethod(", f"        {written[function.path]}", "    )"]
            )
        module = "/".join(path[1:])
        about = f"Functions of `{module}`." if module else "Functions of the deployment."
        given = self.names.give(
            "_" + pascal(*path[0 if len(path) == 1 or path[0] != "api" else 1 :])
        )
        self.blocks.append(
            [f"class {given}:", *doc([about], "    "), *([""] if lines else []), *lines]
        )
        return given


def _tree(functions: Sequence[FunctionSpec]) -> _Namespace:
    root = _Namespace()
    for function in functions:
        node = root
        for segment in function.path.rpartition(":")[0].split("/"):
            node = node.inner.setdefault(segment, _Namespace())
        node.functions.append(function)
    return root


def _is_filled_in(function: FunctionSpec, argument: Field) -> bool:
    return function.is_paginated and argument.name == "paginationOpts"


def _documented(one: Field, name: str) -> str:
    text = f"    {name}: {describe(one.validator)}{', optional' if one.is_optional else ''}"
    return text if name == one.name else f"{text}; `{one.name}`"


def _joined(blocks: Sequence[list[str]]) -> list[str]:
    """Blocks with the blank lines between them that classes and functions have."""
    lines: list[str] = []
    was_large = True
    for block in blocks:
        is_large = block[0].startswith(("class ", "def "))
        gap = ["", ""] if is_large or (was_large and lines) else [] if lines else [""]
        lines += [*gap, *block]
        was_large = is_large
    return lines
