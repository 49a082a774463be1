"""The blocking clients."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from convex_async.auth.credentials import authorization
from convex_async.calls import MutationCall, QueryCall
from convex_async.client.convex_client import MAX_MESSAGE_SIZE
from convex_async.client.convex_client import ConvexClient as AsyncConvexClient
from convex_async.client.optimistic import OptimisticUpdate
from convex_async.client_base.asked import unpack
from convex_async.client_base.reading import DecHook, EncHook
from convex_async.connection.state import ClientState
from convex_async.deployment.environment import DOTENV, configured
from convex_async.function_path import FunctionReference
from convex_async.http.convex_http_client import ConvexHttpClient as AsyncConvexHttpClient
from convex_async.sync.base import BlockingAuth, BlockingClient, asynchronous
from convex_async.sync.outbox import BlockingOutbox
from convex_async.sync.subscription import QuerySubscription
from convex_async.sync.watch_all import QuerySet, QuerySetSubscription
from convex_async.values import Arguments
from convex_async.version import CLIENT_HEADER

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")


class ConvexClient(BlockingClient[AsyncConvexClient]):
    """Calls and live queries over one WebSocket, for code that must block.

    Args:
        deployment_url: None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        admin_key and all others: as `convex_async.ConvexClient` takes them.

    Raises:
        ValueError: the URL is no deployment URL, or an option is out of range.
    """

    def __init__(
        self,
        deployment_url: str | None = None,
        *,
        auth: BlockingAuth = None,
        admin_key: str | None = None,
        acting_as: Mapping[str, Any] | None = None,
        timeout: float | None = 60.0,
        session: aiohttp.ClientSession | None = None,
        site_url: str | None = None,
        inactivity_timeout: float = 30.0,
        close_timeout: float = 5.0,
        max_message_size: int = MAX_MESSAGE_SIZE,
        compress: bool = False,
        allow_insecure: bool = False,
        enc_hook: EncHook | None = None,
        dec_hook: DecHook | None = None,
        omit_none: bool = False,
        outbox: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(
            AsyncConvexClient(
                deployment_url,
                auth=asynchronous(auth),
                admin_key=admin_key,
                acting_as=acting_as,
                timeout=timeout,
                session=session,
                site_url=site_url,
                inactivity_timeout=inactivity_timeout,
                close_timeout=close_timeout,
                max_message_size=max_message_size,
                compress=compress,
                allow_insecure=allow_insecure,
                enc_hook=enc_hook,
                dec_hook=dec_hook,
                omit_none=omit_none,
                outbox=outbox,
            )
        )
        self._queries = QuerySet(self._inner)

    @classmethod
    def from_env(
        cls,
        dotenv: str | os.PathLike[str] | None = DOTENV,
        *,
        admin: bool = False,
        **options: Any,
    ) -> Self:
        """A client for the deployment that the environment, `.env.local` or `.env` names.

        Args:
            dotenv, admin: as `convex_async.ConvexClient.from_env` takes them.

        Raises:
            ValueError: no URL is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options, admin=admin)
        return cls(url, **options)

    def set_auth(self, token: BlockingAuth) -> None:
        """Become another user, or nobody with None.

        Args:
            token: a JWT, or a fetcher `def fetch(*, force_refresh: bool) -> str | None`, which is
                called in a thread of its own; an `async def` one runs in the client's loop.
        """
        self._set_auth(token)

    @property
    def client(self) -> AsyncConvexClient:
        """The asynchronous client, which lives in a loop of its own thread."""
        return self._inner

    def connect(self) -> None:
        """Open the socket now.

        Raises:
            TransportError: it could not be opened; the client goes on trying.
        """
        self._thread.run(self._inner.connect)

    @property
    def state(self) -> ClientState:
        """What the connection and the identity are like right now."""
        return self._home.configure(lambda: self._inner.state)

    @property
    def outbox(self) -> BlockingOutbox:
        """The mutations that outlive the process.

        Raises:
            LocalProtocolError: the client was made without `outbox=`.
        """
        return BlockingOutbox(self._home, self._inner)

    @overload
    def mutation(
        self,
        name: MutationCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> T: ...
    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> T: ...
    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Any: ...
    def mutation(
        self,
        name: str | FunctionReference | MutationCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Any:
        """Run a mutation exactly once, and wait until its effect is visible.

        Args:
            optimistic: as `convex_async.ConvexClient.mutation` takes it; run in another thread.
        """
        return self._thread.run(
            self._call("mutation", name, args, type=type, timeout=timeout, optimistic=optimistic)
        )

    @overload
    def subscribe(
        self,
        name: QueryCall[T],
    ) -> QuerySubscription[T]: ...
    @overload
    def subscribe(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
    ) -> QuerySubscription[T]: ...
    @overload
    def subscribe(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
    ) -> QuerySubscription[Any]: ...
    def subscribe(
        self,
        name: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
    ) -> QuerySubscription[Any]:
        """Keep a query up to date, from this call on: `for value in client.subscribe(...)`."""
        path, args, type = unpack("query", name, args, type)
        id, inner = self._home.get().call(lambda: self._queries.subscribe(path, args, type))
        return QuerySubscription(
            self._home.get(),
            inner,
            id,
            self._queries.leave,
            client=self._inner,
            name=str(path),
            args=args,
        )

    def watch_all(self) -> QuerySetSubscription:
        """A consistent view of all queries subscribed by this client, now and later."""
        return QuerySetSubscription(self._home.get(), self._home.get().call(self._queries.watch))


class ConvexHttpClient(BlockingClient[AsyncConvexHttpClient]):
    """Calls over plain HTTP, for code that must block.

    Mutations of several threads go out beside each other; those that one thread submits, in turn.

    Args:
        address: the deployment URL; None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        admin_key and all others: as `convex_async.ConvexHttpClient` takes them.

    Raises:
        ValueError: the URL is no deployment URL, or an option is out of range.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        auth: BlockingAuth = None,
        admin_key: str | None = None,
        acting_as: Mapping[str, Any] | None = None,
        timeout: float | None = 60.0,
        session: aiohttp.ClientSession | None = None,
        site_url: str | None = None,
        allow_insecure: bool = False,
        enc_hook: EncHook | None = None,
        dec_hook: DecHook | None = None,
        omit_none: bool = False,
    ) -> None:
        super().__init__(
            AsyncConvexHttpClient(
                address,
                auth=asynchronous(auth),
                admin_key=admin_key,
                acting_as=acting_as,
                timeout=timeout,
                session=session,
                site_url=site_url,
                allow_insecure=allow_insecure,
                enc_hook=enc_hook,
                dec_hook=dec_hook,
                omit_none=omit_none,
            )
        )

    @classmethod
    def from_env(
        cls,
        dotenv: str | os.PathLike[str] | None = DOTENV,
        *,
        admin: bool = False,
        **options: Any,
    ) -> Self:
        """A client for the deployment that the environment, `.env.local` or `.env` names.

        Args:
            dotenv, admin: as `convex_async.ConvexClient.from_env` takes them.

        Raises:
            ValueError: no URL is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options, admin=admin)
        return cls(url, **options)

    @overload
    def mutation(
        self,
        name: MutationCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = True,
    ) -> T: ...
    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = True,
    ) -> T: ...
    @overload
    def mutation(
        self,
        name: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = True,
    ) -> Any: ...
    def mutation(
        self,
        name: str | FunctionReference | MutationCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = True,
    ) -> Any:
        """Run a mutation and wait for it; it is sent once.

        Args:
            skip_queue: go out beside the mutations of other threads; False waits for them, and
                for what was submitted.
        """
        return self._thread.run(
            self._call("mutation", name, args, type=type, timeout=timeout, skip_queue=skip_queue)
        )

    def set_auth(self, value: BlockingAuth) -> None:
        """Become another user, or nobody with None.

        Args:
            value: a JWT, or a fetcher, as `ConvexClient.set_auth` takes them.
        """
        self._set_auth(value)

    @property
    def address(self) -> str:
        """The deployment's origin."""
        return self._inner.url

    @property
    def auth(self) -> str | None:
        """The Authorization header of the next request, or None; None too for a fetcher's."""
        known = self._inner._identity.known
        return None if known is None else authorization(known).get("Authorization")

    @property
    def debug(self) -> bool:
        """Whether functions' logs are shown."""
        return self._inner._debug

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request beside the Authorization, a copy."""
        return {"Convex-Client": CLIENT_HEADER}
