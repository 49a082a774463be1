"""A client with arguments that go with every call, such as a service's secret."""

from __future__ import annotations

from collections.abc import AsyncIterable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from convex_async.function_path import FunctionReference

if TYPE_CHECKING:
    from convex_async.reactive.subscribe_all import QuerySpec

K = TypeVar("K", bound=Hashable)


class BoundClient:
    """A view of a client, made by `ConvexClient.bind`; the client stays whose it is.

    Its calls are those of the client, with the bound arguments added; an argument that a call
    gives itself wins.
    """

    def __init__(self, client: Any, args: Mapping[str, Any]) -> None:
        self._client = client  # a ConvexClient, which imports this
        self._args = dict(args)

    def __repr__(self) -> str:
        # The values may be secrets.
        return f"<{self._client!r} bound to {sorted(self._args)}>"

    @property
    def client(self) -> Any:
        """The `ConvexClient` itself."""
        return self._client

    def bind(self, **args: Any) -> BoundClient:
        """A view with more arguments bound."""
        return BoundClient(self._client, {**self._args, **args})

    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.query`."""
        return self._client.query(path, self._with(args), **options)

    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.mutation`."""
        return self._client.mutation(path, self._with(args), **options)

    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.action`."""
        return self._client.action(path, self._with(args), **options)

    def subscribe(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.subscribe`."""
        return self._client.subscribe(path, self._with(args), **options)

    def subscribe_all(self, queries: Mapping[K, QuerySpec]) -> Any:
        """As `ConvexClient.subscribe_all`."""
        bound: dict[K, QuerySpec] = {}
        for key, spec in queries.items():
            given: tuple[Any, ...] = spec if isinstance(spec, tuple) else (spec,)
            parts: list[Any] = [*given, None, None]
            bound[key] = (parts[0], self._with(parts[1]), parts[2])
        return self._client.subscribe_all(bound)

    def paginate(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.paginate`."""
        return self._client.paginate(path, self._with(args), **options)

    def paginate_live(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.paginate_live`."""
        return self._client.paginate_live(path, self._with(args), **options)

    def mutation_batches(
        self,
        path: str | FunctionReference,
        rows: Iterable[Any] | AsyncIterable[Any],
        *,
        key: str,
        args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """As `ConvexClient.mutation_batches`."""
        return self._client.mutation_batches(path, rows, key=key, args=self._with(args), **options)

    def _with(self, args: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**self._args, **(args or {})}
