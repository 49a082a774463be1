"""Secrets of a deployment, which are kept with its data: who has a token or a key keeps it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, MutableMapping

# Bytes of a secret.
SIZE = 32


class Secrets:
    """The secrets by name, each made when it is first asked for.

    Args:
        kept: where they are; another one each time if nothing is kept.
    """

    def __init__(self, kept: MutableMapping[str, bytes] | None = None) -> None:
        self._kept: MutableMapping[str, bytes] = {} if kept is None else kept

    def __repr__(self) -> str:
        return f"<Secrets {sorted(self._kept)}>"

    def get(self, name: str) -> bytes:
        """A secret, of 32 bytes."""
        return self.keep(name, lambda: secrets.token_bytes(SIZE))

    def keep(self, name: str, value: bytes | Callable[[], bytes]) -> bytes:
        """What is kept under a name; this value if nothing is."""
        found = self._kept.get(name)
        if found is None:
            found = self._kept[name] = value() if callable(value) else value
        return found
