"""The blocking clients."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self, TypeVar, overload

from convex_async.client.convex_client import ConvexClient as AsyncConvexClient
from convex_async.connection.state import ClientState
from convex_async.deployment.environment import configured
from convex_async.function_path import FunctionReference
from convex_async.http.convex_http_client import ConvexHttpClient as AsyncConvexHttpClient
from convex_async.sync.base import BlockingAuth, BlockingClient, asynchronous
from convex_async.sync.subscription import QuerySubscription
from convex_async.sync.watch_all import QuerySet, QuerySetSubscription

T = TypeVar("T")


class ConvexClient(BlockingClient[AsyncConvexClient]):
    """Calls and live queries over one WebSocket, for code that must block.

    Args:
        deployment_url: None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        options: as `convex_async.ConvexClient` takes them.

    Raises:
        ValueError: the URL is no deployment URL, or an option is out of range.
    """

    def __init__(
        self, deployment_url: str | None = None, *, auth: BlockingAuth = None, **options: Any
    ) -> None:
        super().__init__(AsyncConvexClient(deployment_url, auth=asynchronous(auth), **options))
        self._queries = QuerySet(self._inner)

    @classmethod
    def from_env(cls, dotenv: str | os.PathLike[str] | None = ".env.local", **options: Any) -> Self:
        """A client for the deployment that the environment, or `.env.local`, names.

        Raises:
            ValueError: no URL is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options)
        return cls(url, **options)

    def connect(self) -> None:
        """Open the socket now.

        Raises:
            TransportError: it could not be opened; the client goes on trying.
        """
        self._thread.run(self._inner.connect)

    @property
    def state(self) -> ClientState:
        """What the connection and the identity are like right now."""
        return self._thread.call(lambda: self._inner.state)

    @overload
    def subscribe(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
    ) -> QuerySubscription[T]: ...
    @overload
    def subscribe(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
    ) -> QuerySubscription[Any]: ...
    def subscribe(
        self,
        name: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
    ) -> QuerySubscription[Any]:
        """Keep a query up to date, from this call on: `for value in client.subscribe(...)`."""
        id, inner = self._thread.call(lambda: self._queries.subscribe(name, args, type))
        return QuerySubscription(self._thread, inner, id, self._queries.leave)

    def watch_all(self) -> QuerySetSubscription:
        """A consistent view of all queries subscribed by this client, now and later."""
        return QuerySetSubscription(self._thread, self._thread.call(self._queries.watch))


class ConvexHttpClient(BlockingClient[AsyncConvexHttpClient]):
    """Calls over plain HTTP, for code that must block.

    Args:
        address: the deployment URL; None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        options: as `convex_async.ConvexHttpClient` takes them.

    Raises:
        ValueError: the URL is no deployment URL, or an option is out of range.
    """

    def __init__(
        self, address: str | None = None, *, auth: BlockingAuth = None, **options: Any
    ) -> None:
        super().__init__(AsyncConvexHttpClient(address, auth=asynchronous(auth), **options))

    @classmethod
    def from_env(cls, dotenv: str | os.PathLike[str] | None = ".env.local", **options: Any) -> Self:
        """A client for the deployment that the environment, or `.env.local`, names.

        Raises:
            ValueError: no URL is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options)
        return cls(url, **options)
