"""The client over plain HTTP requests: no subscriptions, nothing kept open but a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from msgspec import Struct

from convex_async import calls
from convex_async.auth.tokens import Auth, TokenFetcher
from convex_async.calls import MutationCall
from convex_async.client_base.base import ClientBase, Settings
from convex_async.client_base.reading import DecHook, EncHook, Reading
from convex_async.function_path import FunctionPath, FunctionReference
from convex_async.http.calls import Call, HttpCalls, Kind
from convex_async.http.connection import HttpConnection
from convex_async.http.consistent import ConsistentQueries
from convex_async.http.identity import HttpIdentity
from convex_async.protocol.client.identity import Credential
from convex_async.telemetry.tracer import SafeTracer, Tracer, tracer_for
from convex_async.values import Arguments

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")


class _Shared(Struct, frozen=True):
    """What a client and its views have in common."""

    settings: Settings
    connection: HttpConnection
    calls: HttpCalls
    tracer: SafeTracer | None = None


class _Notes(Struct, frozen=True):
    """What is known of a call beside its value: for whom a tracer tells."""

    deployments_id: str
    log_lines: tuple[str, ...] = ()


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
        tracer: is told of calls, see `convex_async.telemetry.tracer`.
        enc_hook: called with what has no Convex form, for what to send in its place; see
            `convex_async.hooks` for ready-made pairs.
        dec_hook: `dec_hook(type, value)`, for types that `type=` asks for and nobody here knows.
        omit_none: leave out the fields of arguments that are None, at any depth.

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
        tracer: Tracer | None = None,
        enc_hook: EncHook | None = None,
        dec_hook: DecHook | None = None,
        omit_none: bool = False,
    ) -> None:
        settings = Settings.of(
            url, site_url, timeout, allow_insecure, Reading(enc_hook, dec_hook, omit_none)
        )
        connection = HttpConnection(session)
        calls = HttpCalls(settings.deployment.url, connection)
        safe = tracer_for(settings.deployment.url, tracer)
        self._begin(_Shared(settings, connection, calls, safe), is_view=False)
        self._sign_in(auth, admin_key, acting_as)

    def _begin(self, shared: _Shared, *, is_view: bool) -> None:
        super().__init__(shared.settings)
        self._shared = shared
        self._is_view = is_view
        self._identity = HttpIdentity()
        self._mutations = asyncio.Lock()

    def __repr__(self) -> str:
        state = " closed" if self._shared.connection.is_closed else ""
        return f"<ConvexHttpClient {self.url}{state}>"

    async def close(self) -> None:
        """Close the session, if it is ours; what is under way raises `ClientClosedError`.

        Idempotent. A view made by `with_auth` has nothing of its own to close.
        """
        if not self._is_view:
            await self._shared.connection.close()

    async def __aenter__(self) -> Self:
        self._shared.connection.session()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # Calls

    @overload
    def mutation(
        self,
        path: MutationCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        skip_queue: bool = False,
    ) -> Coroutine[Any, Any, Any]: ...
    def mutation(
        self,
        path: str | FunctionReference | MutationCall[Any],
        args: Arguments | None = None,
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
        return self._told(call, self._shared.calls.once(call, queue=queue))

    def consistent(self) -> ConsistentQueries:
        """Queries that all see the deployment at one moment: that of the first of them.

        `snapshot = client.consistent()`, then `await snapshot.query(...)` as often as you like
        within 30 seconds, for which the deployment promises to keep the past.
        """
        return ConsistentQueries(
            self._shared.calls,
            self._call,
            timeout=self._settings.timeout,
            reading=self._reading,
        )

    def with_auth(self, auth: Auth) -> ConvexHttpClient:
        """A view of this client as another user, on the same session: for one request's user.

        Its identity and its queue of mutations are its own. It ends when this client is closed.

        Raises:
            ValueError, TypeError: as `set_auth`.
        """
        view = ConvexHttpClient.__new__(ConvexHttpClient)
        view._begin(self._shared, is_view=True)
        view._debug = self._debug
        view.set_auth(auth)
        return view

    # How

    def _become(self, credential: Credential | None, fetcher: TokenFetcher | None) -> None:
        self._identity = HttpIdentity(credential, fetcher)

    async def _user_token(self) -> str | None:
        credential = await self._identity.credential()
        return credential.value if credential.token_type == "User" else None

    def _http_session(self) -> aiohttp.ClientSession:
        return self._shared.connection.session()

    def _ask(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        call = self._made("query", path, args, type, timeout)
        return self._told(call, self._shared.calls.query(call))

    def _act(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        call = self._made("action", path, args, type, timeout)
        return self._told(call, self._shared.calls.once(call, queue=None))

    def _call(
        self,
        kind: Kind,
        path: str | FunctionReference | calls.Call[Any],
        args: Arguments | None,
        type: Any,
        timeout: float | EllipsisType | None,
    ) -> Call:
        return self._made(kind, *self._reading.call(kind, path, args, type), self._limit(timeout))

    def _told(self, call: Call, running: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        tracer = self._shared.tracer
        if tracer is None:
            return running
        return tracer.around(call.kind, call.path, _Notes(call.request_id), running)

    def _made(
        self, kind: Kind, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Call:
        return Call(kind, path, args, type, timeout, self._identity, self._debug)
