"""Validators as Python types: annotations, and the definitions that they need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, TypeAlias

from convex_async.codegen.annotation_text import arguments, identifiers, members_of
from convex_async.codegen.layout import doc, fits, quoted, spread
from convex_async.codegen.names import IN_CLASSES, RESERVED, Names, attribute, is_plain, pascal
from convex_async.codegen.specification import Field, Validator
from convex_async.codegen.validators import differ, flat, literal, system_first, table_of, tagged

Style: TypeAlias = Literal["typeddict", "msgspec", "pydantic"]

# Characters of an annotation; a longer one gets a name.
MAX_ANNOTATION = 32
# What pydantic's models have already.
MODEL_NAMES = frozenset(
    (
        "construct",
        "copy",
        "dict",
        "fields",
        "from_orm",
        "json",
        "parse_file",
        "parse_obj",
        "parse_raw",
        "schema",
        "schema_json",
        "update_forward_refs",
        "validate",
    )
)

SCALARS = {
    "null": "None",
    "boolean": "bool",
    "number": "float",
    "bigint": "int",
    "string": "str",
    "bytes": "bytes",
    "any": "Any",
}


@dataclass
class Types:
    """The types of one file, each defined once, in an order in which none is used too early.

    Attributes:
        blocks: the definitions, each as lines.
        used: names that have to be imported.
        warnings: what could not be said in this style.
    """

    style: Style
    is_snake: bool
    blocks: list[list[str]] = field(default_factory=list[list[str]])
    used: set[str] = field(default_factory=set[str])
    warnings: list[str] = field(default_factory=list[str])
    names: Names = field(default_factory=lambda: Names(RESERVED))
    _known: dict[object, str] = field(default_factory=dict[object, str])

    def annotation(self, validator: Validator, name: str) -> str:
        """The annotation of a validator; `name` is for what has to be defined for it."""
        match validator.kind:
            case "id":
                return self._id(validator.table)
            case "literal":
                return self._literals([validator])
            case "array":
                return self._short(f"list[{self.annotation(validator.items[0], name)}]", name)
            case "record":
                keys, values = (self.annotation(item, name) for item in validator.items)
                keys = keys if validator.items[0].kind != "any" else "str"
                return self._short(f"dict[{keys}, {values}]", name, ("dict[", (keys, values), "]"))
            case "object":
                return self._object(validator, name)
            case "union":
                return self._union(validator, name)
            case _:
                return self._scalar(validator.kind)

    def alias(self, annotation: str, name: str) -> str:
        """A name for an annotation that is more than a name."""
        if annotation.isidentifier():
            return annotation
        return self._named(annotation, name, None)

    def use(self, name: str) -> str:
        """Note that a name has to be imported."""
        self.used.add(name)
        return name

    def _scalar(self, kind: str) -> str:
        return self.use("Any") if kind == "any" else SCALARS[kind]

    def _id(self, table: str) -> str:
        key = ("id", table)
        if key not in self._known:
            self.use("NewType")
            name = self.names.give(pascal(table, limit=28) + "Id")
            self._known[key] = name
            self.blocks.append(
                [f'{name} = NewType("{name}", str)', *doc([f"An id of table `{table}`."], "")]
            )
        return self._known[key]

    def _literals(self, members: Iterable[Validator]) -> str:
        """One annotation for literals of any kind; those that Python has none for are widened."""
        exact: list[str] = []
        wider: list[str] = []
        for member in members:
            text, is_exact = literal(member)
            (exact if is_exact else wider).append(text)
        parts = sorted(set(wider))
        if exact:
            self.use("Literal")
            parts.insert(0, f"Literal[{', '.join(dict.fromkeys(exact))}]")
        return " | ".join(parts)

    def _union(self, validator: Validator, name: str) -> str:
        members = flat(validator)
        if not members:
            return self.use("Any")  # no value is right
        objects = list(dict.fromkeys(m for m in members if m.kind == "object"))
        if self.style != "typeddict" and any(
            not differ(one, other) for one, other in combinations(objects, 2)
        ):
            self.warnings.append(
                f"{name}: nothing tells the members of a union apart, so that style {self.style} "
                "leaves it as it comes (Any): give them a field with a literal, or use typeddict"
            )
            return self.use("Any")
        if any(member.kind == "any" for member in members):
            return self.use("Any")
        literals = [member for member in members if member.kind == "literal"]
        objects.sort(key=lambda member: -len(member.fields))
        rest = [m for m in members if m.kind not in ("literal", "object", "null")]
        parts = [self._literals(literals)] if literals else []
        parts += [self.annotation(member, tagged(member, name)) for member in objects]
        parts += [self.annotation(member, name) for member in rest]
        parts += ["None"] if any(member.kind == "null" for member in members) else []
        parts = list(dict.fromkeys(part for text in parts for part in members_of(text)))
        return self._short(" | ".join(parts), name, ("Union[", tuple(parts), "]"))

    def _object(self, validator: Validator, name: str) -> str:
        odd = [one.name for one in validator.fields if _is_odd(one.name, self.style)]
        if odd:
            self.warnings.append(f"{name}: style {self.style} has no field {odd[0]!r}: left open")
            return f"dict[str, {self.use('Any')}]"
        table = table_of(validator)
        wanted = pascal(table, limit=27) + "Doc" if table else name
        if validator not in self._known:
            fields = sorted(validator.fields, key=system_first)
            parts = [
                (
                    one,
                    self._short(
                        self.annotation(one.validator, pascal(wanted, one.name)),
                        pascal(wanted, one.name),
                    ),
                )
                for one in fields
            ]
            given = self.names.give(wanted)
            self._known[validator] = given
            about = f"A document of table `{table}`." if table else None
            define = {
                "typeddict": self._typed_dict,
                "msgspec": self._struct,
                "pydantic": self._model,
            }[self.style]
            self.blocks.append(define(given, parts, about))
        return self._known[validator]

    # Styles

    def _typed_dict(
        self, name: str, parts: list[tuple[Field, str]], about: str | None
    ) -> list[str]:
        self.use("TypedDict")
        if any(one.is_optional for one, _ in parts):
            self.use("NotRequired")
        typed = [
            (one.name, f"NotRequired[{text}]" if one.is_optional else text) for one, text in parts
        ]
        if all(is_plain(wire) and wire not in self._words(parts) for wire, _ in typed):
            body = _about(about, typed)
            body += [f"    {wire}: {text}" for wire, text in typed] or ["    pass"]
            return [f"class {name}(TypedDict):", *body]
        items = [f"{quoted(wire)}: {text}" for wire, text in typed]
        pairs = "\n".join(spread("{", items, "}"))
        return spread(f"{name} = TypedDict(", [f'"{name}"', pairs], ")")

    def _struct(self, name: str, parts: list[tuple[Field, str]], about: str | None) -> list[str]:
        self.use("Struct")
        taken = Names(self._words(parts))
        body = _about(about, parts)
        for one, text in parts:
            own = taken.give(attribute(one.name, is_snake=self.is_snake))
            options: list[str] = []
            if one.is_optional:
                text = f"{text} | {self.use('UnsetType')}"
                options.append(f"default={self.use('UNSET')}")
            if own != one.name:
                options.append(f"name={quoted(one.name)}")
            body += self._member(own, text, options, "field", plain=one.is_optional)
        return [f"class {name}(Struct, frozen=True, kw_only=True):", *(body or ["    pass"])]

    def _model(self, name: str, parts: list[tuple[Field, str]], about: str | None) -> list[str]:
        self.use("ConvexModel")
        taken = Names(self._words(parts))
        reserved = IN_CLASSES | MODEL_NAMES
        body = _about(about, parts)
        for one, text in parts:
            own = attribute(one.name, is_snake=self.is_snake, reserved=reserved)
            own = taken.give(f"{own}_" if own.startswith("model_") else own)
            options: list[str] = []
            if one.is_optional:
                text = text if text.endswith("None") or text == "Any" else f"{text} | None"
                options.append("default=None")
            if own != one.name:
                options.append(f"alias={quoted(one.name)}")
            body += self._member(own, text, options, "Field", plain=one.is_optional)
        return [f"class {name}(ConvexModel):", *(body or ["    pass"])]

    def _member(
        self, name: str, annotation: str, options: list[str], maker: str, *, plain: bool
    ) -> list[str]:
        if not options:
            return [f"    {name}: {annotation}"]
        if len(options) == 1 and plain:  # a default alone needs no maker
            return [f"    {name}: {annotation} = {options[0].partition('=')[2]}"]
        self.use(maker)
        line = f"    {name}: {annotation} = {maker}({', '.join(options)})"
        if fits(line):
            return [line]
        return spread(f"{name}: {annotation} = {maker}(", options, ")", "    ")

    @staticmethod
    def _words(parts: list[tuple[Field, str]]) -> set[str]:
        """Names that the annotations of a class use: no field of it may have one."""
        used = {word for _, text in parts for word in identifiers(text)}
        return used | {"NotRequired", "None"}

    # Names for what is long

    def _short(
        self,
        annotation: str,
        name: str,
        parts: tuple[str, tuple[str, ...], str] | None = None,
    ) -> str:
        if len(annotation) <= MAX_ANNOTATION:
            return annotation
        return self._named(annotation, name, parts)

    def _named(
        self, annotation: str, name: str, parts: tuple[str, tuple[str, ...], str] | None
    ) -> str:
        key = ("alias", annotation)
        if key not in self._known:
            self.use("TypeAlias")
            given = self._known[key] = self.names.give(name)
            line = f"{given}: TypeAlias = {annotation}"
            if fits(line) or parts is None:
                self.blocks.append([line])
            else:
                if parts[0] == "Union[":
                    self.use("Union")
                items = [_spread_literal(part) for part in parts[1]]
                if len(items) == 1:  # a comma would make it a tuple
                    self.blocks.append(f"{given}: TypeAlias = {items[0]}".split("\n"))
                else:
                    opening = f"{given}: TypeAlias = {parts[0]}"
                    self.blocks.append(spread(opening, items, parts[2]))
        return self._known[key]


def _about(about: str | None, fields: Sequence[object]) -> list[str]:
    return [*doc([about], "    "), ""] if about and fields else []


def _spread_literal(text: str) -> str:
    if not text.startswith("Literal[") or len(text) <= MAX_ANNOTATION:
        return text
    parts = arguments(text[len("Literal[") : -1])
    # One alone can't be followed by a comma: that would be a tuple.
    return text if len(parts) == 1 else "\n".join(spread("Literal[", parts, "]"))


def _is_odd(name: str, style: Style) -> bool:
    """Whether a style has no field of this name: pyright's TypedDicts, msgspec's renames."""
    match style:
        case "typeddict":
            return not name
        case "msgspec":
            return any(character in name for character in '"\\')
        case _:
            return False
