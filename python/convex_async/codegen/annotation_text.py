"""Annotations taken apart, as the text that they are."""

from __future__ import annotations


def arguments(text: str) -> list[str]:
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


def members_of(text: str) -> list[str]:
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


def identifiers(text: str) -> list[str]:
    """The names in an annotation."""
    cleaned = "".join(c if c.isalnum() or c == "_" else " " for c in _unquoted(text))
    return cleaned.split()
