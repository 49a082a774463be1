"""What may be shown of text from outside: no credential in it, no control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What stands in the place of a credential.
CUT = "[cut]"
# Characters of a credential that are recognised wherever they stand: text from outside may hold
# a part of it, as where a library shows the first hundred bytes of a line.
_WINDOW = 8
# A JWT, whose header and claims are JSON objects in base64; what follows the name of a scheme; a
# deployment's name and secret. Each begins where a word does, so that a search is linear.
_LIKE_A_CREDENTIAL = re.compile(
    r"(?<![\w-])e[yw3][\w-]*\.e[yw3][\w-]*\.[\w-]*"
    r"|(?<=\bbearer )[^\s'\"]+"
    r"|(?<=\|)[\w+/=-]{16,}",
    re.IGNORECASE | re.ASCII,
)
# C0 and C1 without the line feed and the tab, and what turns the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def without_secrets(text: str, secrets: Iterable[str | None] = ()) -> str:
    """The text with every credential cut out of it: the ones given, and what looks like one.

    Args:
        secrets: what is known, also where the text holds only a part of it.
    """
    for secret in secrets:
        if secret:
            text = _without(text, secret.rpartition("|")[2])
    return _LIKE_A_CREDENTIAL.sub(CUT, text)


def _without(text: str, secret: str) -> str:
    if len(secret) <= _WINDOW:
        return text.replace(secret, CUT)
    windows = {secret[at : at + _WINDOW] for at in range(len(secret) - _WINDOW + 1)}
    kept: list[str] = []
    at = end = 0  # of the credential that is being cut, the end of what was seen of it
    while at < len(text):
        if text[at : at + _WINDOW] in windows:
            if end <= at:
                kept.append(CUT)
            end = at + _WINDOW
        elif at >= end:
            kept.append(text[at])
        at += 1
    return "".join(kept)


def escaped(text: str) -> str:
    """The text with its control characters written out, so that a terminal obeys none of them."""
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)
