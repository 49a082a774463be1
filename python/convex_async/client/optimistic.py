"""Optimistic updates as the user writes them, over the core's wire bytes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, overload

from convex_async.calls import QueryCall
from convex_async.client_base.reading import Reading
from convex_async.codec.diff import same
from convex_async.codec.values import decode
from convex_async.errors import CodecError, LocalProtocolError
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.protocol.client import overlay
from convex_async.values import Arguments

T = TypeVar("T")

OptimisticUpdate: TypeAlias = "Callable[[OptimisticLocalStore, dict[str, Any]], object]"
"""Takes the store and the mutation's arguments; what it returns is not looked at."""


class OptimisticLocalStore:
    """What the client's subscriptions show, for one run of an optimistic update to change.

    Values are the update's own: change what `get_query` gave, then set it.
    """

    def __init__(self, layer: overlay.Overlay, reading: Reading) -> None:
        self._reading = reading
        self._layer: overlay.Overlay | None = layer

    @overload
    def get_query(self, path: QueryCall[T]) -> T | None: ...
    @overload
    def get_query(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
    ) -> T | None: ...
    @overload
    def get_query(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
    ) -> Any: ...
    def get_query(
        self,
        path: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
    ) -> Any:
        """The value that subscriptions to a query show, earlier optimistic updates included.

        Args:
            path, args, type: as for `ConvexClient.subscribe`.

        Returns:
            The value; None too if it is loading, if it fails, or if nobody subscribes to it.
        """
        function, asked, made = self._reading.call("query", path, args, type)
        wire = self._open().get(function, asked)
        return None if wire is None else decode(wire, type=made)

    def get_all_queries(
        self, path: str | FunctionReference
    ) -> list[tuple[dict[str, Any], Any | None]]:
        """The arguments and the value, as `get_query` gives it, of each query of a function."""
        found = self._open().all(canonical_path(path))
        return [(decode(args), None if wire is None else decode(wire)) for args, wire in found]

    @overload
    def set_query(self, path: QueryCall[T], *, value: T) -> None: ...
    @overload
    def set_query(
        self, path: str | FunctionReference, args: Arguments | None, value: object
    ) -> None: ...
    def set_query(
        self,
        path: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        value: object = None,
    ) -> None:
        """Let the subscriptions to a query show a value until the mutation has settled.

        Raises:
            CodecError: the value or the arguments are no Convex values.
        """
        function, asked, _ = self._reading.call("query", path, args, None)
        self._open().set(function, asked, self._reading.value(value))

    def _open(self) -> overlay.Overlay:
        if self._layer is None:
            raise LocalProtocolError("an optimistic update's store is of use during its run only")
        return self._layer

    def _close(self) -> None:
        self._layer = None


def check(update: OptimisticUpdate | None) -> None:
    """Raise TypeError for what can't be an optimistic update."""
    if update is not None and (not callable(update) or inspect.iscoroutinefunction(update)):
        raise TypeError(
            "optimistic is a plain function of the store and the mutation's arguments, "
            f"not {'a coroutine function' if callable(update) else type(update).__name__}"
        )


def over_wire(update: OptimisticUpdate, args: bytes, reading: Reading) -> overlay.OptimisticUpdate:
    """The update as the core runs it."""

    def run(layer: overlay.Overlay) -> None:
        store = OptimisticLocalStore(layer, reading)
        try:
            update(store, decode(args))
        finally:
            store._close()

    return run


def same_value(one: bytes, other: bytes) -> bool:
    """Whether two wire texts are one value; what is none equals only itself."""
    try:
        return same(one, other)
    except CodecError:
        return False
