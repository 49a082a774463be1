"""Validators as Python types: annotations, and the definitions that they need."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, TypeAlias

from convex_async.codegen.layout import doc, fits, quoted, spread
from convex_async.codegen.names import IN_CLASSES, RESERVED, Names, attribute, is_plain, pascal
from convex_async.codegen.specification import Field, Validator

Style: TypeAlias = Literal["typeddict", "msgspec", "pydantic"]

# Characters of an annotation; a longer one gets a name.
MAX_ANNOTATION = 32
# Columns of a text in a `Literal`, quotes included: with a name before it, it fits a line.
MAX_LITERAL = 34
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
            text, is_exact = _literal(member)
            (exact if is_exact else wider).append(text)
        parts = sorted(set(wider))
        if exact:
            self.use("Literal")
            parts.insert(0, f"Literal[{', '.join(dict.fromkeys(exact))}]")
        return " | ".join(parts)

    def _union(self, validator: Validator, name: str) -> str:
        members = _flat(validator)
        if not members:
            return self.use("Any")  # no value is right
        objects = list(dict.fromkeys(m for m in members if m.kind == "object"))
        if self.style != "typeddict" and any(
            not _differ(one, other) for one, other in combinations(objects, 2)
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
        parts += [self.annotation(member, _tagged(member, name)) for member in objects]
        parts += [self.annotation(member, name) for member in rest]
        parts += ["None"] if any(member.kind == "null" for member in members) else []
        parts = list(dict.fromkeys(part for text in parts for part in _split(text)))
        return self._short(" | ".join(parts), name, ("Union[", tuple(parts), "]"))

    def _object(self, validator: Validator, name: str) -> str:
        odd = [one.name for one in validator.fields if _is_odd(one.name, self.style)]
        if odd:
            self.warnings.append(f"{name}: style {self.style} has no field {odd[0]!r}: left open")
            return f"dict[str, {self.use('Any')}]"
        table = _table(validator)
        wanted = pascal(table, limit=27) + "Doc" if table else name
        if validator not in self._known:
            fields = sorted(validator.fields, key=_system_first)
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
        used = {word for _, text in parts for word in _identifiers(text)}
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
    parts = _arguments(text[len("Literal[") : -1])
    # One alone can't be followed by a comma: that would be a tuple.
    return text if len(parts) == 1 else "\n".join(spread("Literal[", parts, "]"))


def _arguments(text: str) -> list[str]:
    """The arguments of a `Literal`, which may hold commas in quotes."""
    found, quote, start = list[str](), "", 0
    escaped = False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == ",":
            found.append(text[start:place].strip())
            start = place + 1
    return [*found, text[start:].strip()]


def _split(text: str) -> list[str]:
    """The members of a union's annotation, which are of no union in brackets."""
    parts, depth, start = list[str](), 0, 0
    for place, character in enumerate(_unquoted(text)):
        depth += (character == "[") - (character == "]")
        if character == "|" and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _unquoted(text: str) -> str:
    """The text with what is in quotes made blank."""
    shown, quote, escaped = "", "", False
    for character in text:
        if escaped:
            escaped = False
            shown += " "
        elif quote:
            escaped = character == "\\"
            quote = "" if character == quote else quote
            shown += " "
        else:
            quote = character if character in "\"'" else ""
            shown += " " if quote else character
    return shown


def _identifiers(text: str) -> list[str]:
    cleaned = "".join(c if c.isalnum() or c == "_" else " " for c in _unquoted(text))
    return cleaned.split()


def _literal(member: Validator) -> tuple[str, bool]:
    """A literal as Python has it, and whether that says all; else its type alone."""
    value = member.literal
    if isinstance(value, str):
        shown = quoted(value)
        # A character beyond ASCII may be two columns wide.
        columns = sum(1 if character.isascii() else 2 for character in shown)
        return (shown, True) if columns <= MAX_LITERAL else ("str", False)
    if isinstance(value, bool):
        return str(value), True
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer() and abs(value) < 2**53
        return (str(int(value)), True) if whole else ("float", False)
    return str(value), True


def _flat(validator: Validator) -> list[Validator]:
    """The members of a union, those of unions in it among them, each once."""
    found: list[Validator] = []
    for item in validator.items:
        found += _flat(item) if item.kind == "union" else [item]
    return list(dict.fromkeys(found))


def _differ(one: Validator, other: Validator) -> bool:
    """Whether an object of one can't be taken for one of the other (`codec.classes`)."""
    fields = [{field.name: field for field in validator.fields} for validator in (one, other)]
    for own, others in (fields, fields[::-1]):
        if any(not field.is_optional and name not in others for name, field in own.items()):
            return True
    both = fields[0].keys() & fields[1].keys()
    literals = [(_values(fields[0][name]), _values(fields[1][name])) for name in both]
    return any(left and right and left.isdisjoint(right) for left, right in literals)


def _values(field: Field) -> set[object]:
    """The only values that a field may have; empty where there are others."""
    members = _flat(Validator("union", items=(field.validator,)))
    if any(member.kind != "literal" or not _literal(member)[1] for member in members):
        return set()
    return {(type(member.literal).__name__, member.literal) for member in members}


def _is_odd(name: str, style: Style) -> bool:
    """Whether a style has no field of this name: pyright's TypedDicts, msgspec's renames."""
    match style:
        case "typeddict":
            return not name
        case "msgspec":
            return any(character in name for character in '"\\')
        case _:
            return False


def _tagged(validator: Validator, name: str) -> str:
    """A name for a member of a union, by the literal that tells it from the others."""
    for one in validator.fields:
        if one.validator.kind == "literal" and isinstance(one.validator.literal, str):
            return pascal(name, one.validator.literal)
    return name


def _table(validator: Validator) -> str:
    """The table whose documents an object is; empty if it is none."""
    named = {one.name: one.validator for one in validator.fields}
    found = named.get("_id")
    return (
        found.table if found is not None and found.kind == "id" and "_creationTime" in named else ""
    )


def _system_first(field: Field) -> tuple[int, str]:
    order = ("_id", "_creationTime")
    return (order.index(field.name) if field.name in order else len(order), field.name)


Describe: TypeAlias = Callable[[Validator], str]


def describe(validator: Validator) -> str:
    """A validator in words, for a docstring."""
    match validator.kind:
        case "id":
            return f"id of `{validator.table}`"
        case "literal":
            return _literal(validator)[0]
        case "array":
            return f"array of {describe(validator.items[0])}"
        case "record":
            return f"record of {describe(validator.items[1])}"
        case "union":
            members = _flat(validator)
            return " | ".join(describe(member) for member in members) or "nothing"
        case "bigint":
            return "int64"
        case _:
            return validator.kind


def int64s(validator: Validator) -> str | None:
    """Where a value holds int64, as source of `calls.Int64s`; None for nowhere."""
    match validator.kind:
        case "bigint":
            return "True"
        case "literal":
            value = validator.literal
            return "True" if isinstance(value, int) and not isinstance(value, bool) else None
        case "array":
            return _wrapped("[", [int64s(validator.items[0])], "]")
        case "record":
            return _wrapped("{", [_keyed("None", int64s(validator.items[1]))], "}")
        case "object":
            return int64s_of(validator.fields)
        case "union":
            members = _flat(validator)
            if any(member.kind == "number" or _is_float(member) for member in members):
                return None  # an int is a number there: `ConvexInt64` says which is meant
            found = list(dict.fromkeys(filter(None, map(int64s, members))))
            return found[0] if len(found) == 1 else None
        case _:
            return None


def int64s_of(fields: Iterable[Field]) -> str | None:
    """The same for the fields of an object."""
    return _wrapped("{", [_keyed(quoted(f.name), int64s(f.validator)) for f in fields], "}")


def _is_float(member: Validator) -> bool:
    return member.kind == "literal" and isinstance(member.literal, float)


def _keyed(key: str, text: str | None) -> str | None:
    return None if text is None else f"{key}: {text}"


def _wrapped(opening: str, items: list[str | None], closing: str) -> str | None:
    found = [item for item in items if item is not None]
    return "\n".join(spread(opening, found, closing)) if found else None
