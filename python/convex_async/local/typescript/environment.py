"""The environment variables of a deployment's functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping


class Environment(MutableMapping[str, str]):
    """A mapping that tells when it changes; functions see it as `process.env`.

    Attributes:
        on_change: called with all variables after each change.
    """

    def __init__(self) -> None:
        self._variables: dict[str, str] = {}
        self._system: dict[str, str] = {}
        self.on_change: Callable[[Mapping[str, str]], None] | None = None

    def __repr__(self) -> str:
        return f"<Environment of {sorted(self._variables)}>"

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __setitem__(self, name: str, value: str) -> None:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"an environment variable is a text, not {type(value).__name__}")
        self._variables[name] = value
        self._changed()

    def __delitem__(self, name: str) -> None:
        del self._variables[name]
        self._changed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def set_system(self, variables: Mapping[str, str]) -> None:
        """Add what the deployment itself says; the user's variables go before it."""
        self._system = dict(variables)
        self._changed()

    def all(self) -> dict[str, str]:
        """What functions see."""
        return {**self._system, **self._variables}

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change(self.all())
