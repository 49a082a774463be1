"""Copies of a client: each is a client of its own, not used yet."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any, Self, TypeVar

from convex_async.client_base.base import Settings
from convex_async.connection.driver import Driver

C = TypeVar("C", bound="Copied")


class Copied(ABC):
    """What `copy` and `pickle` do with a client."""

    _begin: Callable[..., None]
    _driver: Driver
    _options: dict[str, Any]
    _debug: bool
    _settings: Settings

    def __copy__(self) -> Self:
        """A client of its own, not used yet, made as this one was and with its user."""
        copied = _made(type(self), self._settings.deployment.url, self._options)
        copied._debug = self._debug
        self._driver.make_alike(copied._driver)
        return copied

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle makes a client of: one that is not used yet.

        Raises:
            TypeError: it has a user, whose token would be in the pickle, or a session.
        """
        if not self._driver.is_anonymous:
            raise TypeError(
                "a client with a token or a key is not pickled, as these would be in the pickle: "
                "make one where it is used"
            )
        if self._options["session"] is not None:
            raise TypeError("a client with a session of its own is not pickled: make one")
        return _made, (type(self), self._settings.deployment.url, self._options)


def _made(cls: type[C], url: str, options: dict[str, Any]) -> C:
    """A client of this class, though the class may have a constructor of its own."""
    client = cls.__new__(cls)
    client._begin(url, **options)
    return client
