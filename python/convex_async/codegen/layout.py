"""Python source laid out as `ruff format` leaves it, at its default of 88 characters a line."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 88


def quoted(text: str) -> str:
    """A string literal, in the quotes that need fewer escapes; in double ones if it is the same."""
    shown = repr("'" + text)[2:-1]  # the quote makes repr take double ones, unless both are there
    if text.count('"') > text.count("'"):
        return "'" + repr('"' + text)[2:-1] + "'" if "'" not in text else repr(text)
    if '"' in text:
        shown = "".join('\\"' if c == '"' else _escaped(c) for c in text)
    return f'"{shown}"'


def _escaped(character: str) -> str:
    return character if character == "'" else repr(character)[1:-1]


def spread(opening: str, items: Sequence[str], closing: str, indent: str = "") -> list[str]:
    """Brackets with one item a line, each with the comma that keeps it so.

    Args:
        items: may be of several lines.
        indent: of the opening, which is part of it.
    """
    lines = [f"{indent}{opening}"]
    for item in items:
        parts = item.split("\n")
        lines += [f"{indent}    {part}" if part else "" for part in parts]
        lines[-1] += ","
    return [*lines, f"{indent}{closing}"]


def fits(line: str) -> bool:
    """Whether a line need not be broken."""
    return len(line) <= WIDTH


def imports(module: str, names: Sequence[str]) -> list[str]:
    """An import of names, constants before classes before the rest, as isort sorts them."""
    ordered = sorted(names, key=lambda name: (_rank(name), name))
    line = f"from {module} import {', '.join(ordered)}"
    return [line] if fits(line) else spread(f"from {module} import (", ordered, ")")


def _rank(name: str) -> int:
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[:1].isupper() else 2


def doc(lines: Sequence[str], indent: str) -> list[str]:
    """A docstring of these lines."""
    safe = [line.replace("\\", "\\\\").replace('"', "'").rstrip() for line in lines]
    if len(safe) == 1:
        return [f'{indent}"""{safe[0]}"""']
    body = [f"{indent}{line}" if line else "" for line in safe[1:]]
    return [f'{indent}"""{safe[0]}', *body, f'{indent}"""']
