"""The client over plain HTTP requests: no subscriptions, nothing kept open but a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from convex_async.auth.credentials import admin_credential, user_credential
from convex_async.auth.tokens import Auth
from convex_async.client_base.base import ClientBase
from convex_async.codec.values import encode_arguments
from convex_async.deployment.environment import deployment_url
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.http.calls import Call, HttpCalls, Kind
from convex_async.http.connection import HttpConnection
from convex_async.http.consistent import ConsistentQueries
from convex_async.http.identity import HttpIdentity
from convex_async.telemetry.function_logs import show_function_logs

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")


class ConvexHttpClient(ClientBase):
    """Calls functions of one deployment by HTTP requests on one keep-alive session.

    The constructor does no I/O and needs no running loop; the client belongs to the event loop
    that first uses it. `async with ConvexHttpClient(url) as client:` closes it.

    Queries that fail on the way are asked again twice. Mutations and actions never are: a lost
    answer raises `TransportError` with `.outcome`; use `ConvexClient` for exactly once. Mutations
    go out one at a time, in the order of their calls.

    Args:
        url: the deployment URL; None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        admin_key: an admin or deploy key, in place of `auth`.
        acting_as: the user that an admin acts as: `tokenIdentifier`, or `issuer` and `subject`.
        timeout: seconds that a query or mutation may take, retries included; None for no limit.
        session: your own aiohttp session (proxies, TLS, connectors); it is never closed.
        site_url: the origin of HTTP actions, where it can't be derived from `url`.
        allow_insecure: send tokens over plain http to hosts other than this one.

    Raises:
        ValueError: the URL is no deployment URL, or an option is out of range.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        auth: Auth = None,
        admin_key: str | None = None,
        acting_as: Mapping[str, Any] | None = None,
        timeout: float | None = 60.0,
        session: aiohttp.ClientSession | None = None,
        site_url: str | None = None,
        allow_insecure: bool = False,
    ) -> None:
        self._deployment = deployment_url(url, site_url)
        self._timeout = self._seconds(timeout)
        self._allow_insecure = allow_insecure
        self._connection = HttpConnection(session)
        self._calls = HttpCalls(self.url, self._connection)
        self._is_view = False
        self._begin_identity()
        if admin_key is not None:
            if auth is not None:
                raise ValueError("give auth or admin_key, not both")
            self.set_admin_auth(admin_key, acting_as)
        elif acting_as is not None:
            raise ValueError("acting_as needs an admin_key")
        else:
            self.set_auth(auth)

    def _begin_identity(self) -> None:
        self._identity = HttpIdentity()
        self._mutations = asyncio.Lock()
        self._debug = False

    def __repr__(self) -> str:
        state = " closed" if self._connection.is_closed else ""
        return f"<ConvexHttpClient {self.url}{state}>"

    async def close(self) -> None:
        """Close the session, if it is ours; what is under way raises `ClientClosedError`.

        Idempotent. A view made by `with_auth` has nothing of its own to close.
        """
        if not self._is_view:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        self._connection.session()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # Calls

    @overload
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def query(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]:
        """The value of a query, now.

        Args:
            path: `"tasks:list"`, or `api.tasks.list`.
            args: a mapping of Convex values, read before this returns.
            type: what the value is to be: a msgspec Struct, dataclass, TypedDict, NamedTuple,
                pydantic model, or a list or union of them.
            timeout: seconds; None for no limit; the client's if not given.

        Raises:
            CodecError, ValueError, TypeError: bad arguments or path, at the call itself.
            ConvexError, FunctionError: the function failed.
            TransportError, RequestTimeoutError: no answer, also not at the second retry.
            AuthError, ClientClosedError, RemoteProtocolError, CodecError: as they say.
        """
        call = self._call("query", path, args, type, timeout)
        return self._calls.query(call, debug=self._debug)

    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, Any]: ...
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """Run a mutation, after those that wait already; it is sent once.

        Arguments and errors are those of `query`; `.outcome` of a TransportError tells whether
        it may have run.

        Args:
            skip_queue: go out at once, beside other mutations.
        """
        call = self._call("mutation", path, args, type, timeout)
        queue = None if skip_queue else self._mutations
        return self._calls.once(call, queue=queue, debug=self._debug)

    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]: ...
    def action(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
    ) -> Coroutine[Any, Any, Any]:
        """Run an action, which is sent once; there is no time limit unless one is given.

        Arguments and errors are those of `query`; `.outcome` of a TransportError tells whether
        it may have run.
        """
        call = self._call("action", path, args, type, None if timeout is ... else timeout)
        return self._calls.once(call, queue=None, debug=self._debug)

    def consistent(self) -> ConsistentQueries:
        """Queries that all see the deployment at one moment: that of the first of them.

        `snapshot = client.consistent()`, then `await snapshot.query(...)` as often as you like
        within 30 seconds, for which the deployment promises to keep the past.
        """
        return ConsistentQueries(self._calls, self._call, timeout=self._timeout)

    # Identity

    def set_auth(self, auth: Auth) -> None:
        """Become another user, or nobody with None. Calls made before run as the one before.

        Args:
            auth: a JWT, or `async def fetch(*, force_refresh: bool) -> str | None`, whose token
                is kept, renewed before it ends, and fetched anew when it is refused.

        Raises:
            ValueError: the deployment is reached over plain http, not on this host, and
                `allow_insecure` is not set; or the token can't be one.
        """
        if auth is None:
            self._identity = HttpIdentity()
            return
        self._ensure_secure()
        if isinstance(auth, str):
            self._identity = HttpIdentity(user_credential(auth))
        elif callable(auth):
            self._identity = HttpIdentity(fetch=auth)
        else:
            raise TypeError("auth is a JWT, an async fetcher of JWTs, or None")

    def clear_auth(self) -> None:
        """Become nobody: log out."""
        self.set_auth(None)

    def set_admin_auth(self, key: str, acting_as: Mapping[str, Any] | None = None) -> None:
        """Become an admin of the deployment, who may call internal functions.

        Args:
            key: an admin or deploy key.
            acting_as: the user to act as: `tokenIdentifier`, or `issuer` and `subject`.
        """
        self._ensure_secure()
        self._identity = HttpIdentity(admin_credential(key, acting_as))

    def with_auth(self, auth: Auth) -> ConvexHttpClient:
        """A view of this client as another user, on the same session: for one request's user.

        Its identity and its queue of mutations are its own. It ends when this client is closed.

        Raises:
            ValueError, TypeError: as `set_auth`.
        """
        view = ConvexHttpClient.__new__(ConvexHttpClient)
        view._deployment = self._deployment
        view._timeout = self._timeout
        view._allow_insecure = self._allow_insecure
        view._connection = self._connection
        view._calls = self._calls
        view._is_view = True
        view._begin_identity()
        view._debug = self._debug
        view.set_auth(auth)
        return view

    def set_debug(self, debug: bool) -> None:
        """Show what functions log, by the logger `convex_async.functions`."""
        self._debug = debug
        if debug:
            show_function_logs()

    # How

    def _ensure_secure(self) -> None:
        if not (self._deployment.is_secure or self._allow_insecure):
            raise ValueError(
                f"a token for {self.url} would travel unencrypted: use https, or set "
                "allow_insecure=True if the network is to be trusted"
            )

    async def _user_token(self) -> str | None:
        credential = await self._identity.credential()
        return credential.value if credential.token_type == "User" else None

    def _http_session(self) -> aiohttp.ClientSession:
        return self._connection.session()

    @staticmethod
    def _seconds(timeout: float | None) -> float | None:
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout is seconds, above zero, or None, not {timeout}")
        return timeout

    def _call(
        self,
        kind: Kind,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None,
        type: Any,
        timeout: float | EllipsisType | None,
    ) -> Call:
        limit = self._timeout if timeout is ... else self._seconds(timeout)
        return Call(kind, canonical_path(path), encode_arguments(args), type, limit, self._identity)
