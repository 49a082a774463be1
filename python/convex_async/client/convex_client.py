"""The client: queries, mutations, actions and live subscriptions over one WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections.abc import AsyncGenerator, Coroutine, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from convex_async.auth.tokens import Auth, TokenFetcher
from convex_async.calls import MutationCall, QueryCall
from convex_async.client.copying import Copied
from convex_async.client.live_views import LiveViews
from convex_async.client.more_calls import MoreCalls
from convex_async.client.optimistic import OptimisticUpdate, check, over_wire, same_value
from convex_async.client.subscription import Subscription
from convex_async.client.traced_calls import TracedCalls
from convex_async.client_base.base import ClientBase, Settings, check_seconds
from convex_async.client_base.reading import DecHook, EncHook, Reading
from convex_async.connection.driver import Driver, WireSettings
from convex_async.connection.running import Running
from convex_async.connection.state import ClientState
from convex_async.errors import (
    AuthError,
    LocalProtocolError,
    OutboxError,
)
from convex_async.function_path import FunctionReference
from convex_async.outbox.outbox import Outbox
from convex_async.protocol.client.identity import (
    Confirmed,
    Credential,
    Refused,
    Unconfirmed,
    Waiting,
)
from convex_async.telemetry.tracer import Tracer, tracer_for
from convex_async.values import Arguments

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

# Bytes. A result has at most 16 MiB as Convex counts, which base64 and escapes make larger on the
# wire, and the server splits no transition for us (convex-backend crates/sync).
MAX_MESSAGE_SIZE = 64 * 2**20


class ConvexClient(LiveViews, TracedCalls, MoreCalls, Copied, ClientBase):
    """A client of one deployment, for one event loop.

    The constructor does no I/O and needs no running loop; the socket opens at first use and
    reconnects by itself. Use it as `async with ConvexClient(url) as client:`.

    Args:
        url: the deployment URL; None reads `CONVEX_URL` from the environment.
        auth: a JWT, or a fetcher of JWTs (see `set_auth`).
        admin_key: an admin or deploy key, in place of `auth`.
        acting_as: the user that an admin acts as: `tokenIdentifier`, or `issuer` and `subject`.
        timeout: seconds that a query or mutation may take; None for no limit.
        session: your own aiohttp session (proxies, TLS, connectors); it is never closed.
        site_url: the origin of HTTP actions, where it can't be derived from `url`.
        inactivity_timeout: seconds without any frame after which a socket counts as dead.
        close_timeout: seconds that `close` waits for the mutations that were sent.
        max_message_size: bytes of the largest frame that is taken.
        compress: offer permessage-deflate: a third to a tenth of the traffic, for twice the
            processor time or more (measured in docs/guide.md).
        allow_insecure: send tokens over plain http to hosts other than this one.
        enc_hook: called with what has no Convex form, for what to send in its place; see
            `convex_async.hooks` for ready-made pairs.
        dec_hook: `dec_hook(type, value)`, for types that `type=` asks for and nobody here knows.
        omit_none: leave out the fields of arguments that are None, at any depth.
        outbox: a file that keeps the unanswered mutations over the end of the process, however it
            ends (see `Outbox`). Give each client one of its own.
        tracer: is told what the client does, see `convex_async.telemetry.tracer`.

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
        inactivity_timeout: float = 30.0,
        close_timeout: float = 5.0,
        max_message_size: int = MAX_MESSAGE_SIZE,
        compress: bool = False,
        allow_insecure: bool = False,
        enc_hook: EncHook | None = None,
        dec_hook: DecHook | None = None,
        omit_none: bool = False,
        outbox: str | os.PathLike[str] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        super().__init__(
            Settings.of(
                url, site_url, timeout, allow_insecure, Reading(enc_hook, dec_hook, omit_none)
            )
        )
        check_seconds("inactivity_timeout", inactivity_timeout)
        if close_timeout != 0:
            check_seconds("close_timeout", close_timeout)
        if session is not None and not hasattr(session, "ws_connect"):
            raise TypeError(f"session is an aiohttp.ClientSession, not {type(session).__name__}")
        self._close_timeout = close_timeout
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "session": session,
            "site_url": site_url,
            "inactivity_timeout": inactivity_timeout,
            "close_timeout": close_timeout,
            "max_message_size": max_message_size,
            "compress": compress,
            "allow_insecure": allow_insecure,
            "enc_hook": enc_hook,
            "dec_hook": dec_hook,
            "omit_none": omit_none,
            "outbox": outbox,
            "tracer": tracer,
        }
        wire = WireSettings(
            self._settings.deployment.sync_url,
            session,
            inactivity_timeout=inactivity_timeout,
            max_message_size=max_message_size,
            compress=compress,
        )
        self._tracer = tracer_for(self.url, tracer)
        self._driver = Driver(
            wire, same=same_value, outbox=outbox, deployment=self.url, tracer=self._tracer
        )
        self._sign_in(auth, admin_key, acting_as)

    def __repr__(self) -> str:
        return f"<ConvexClient {self.url} {self.state.phase}>"

    _begin = __init__

    # Connection

    async def connect(self) -> None:
        """Open the socket now, or return at once if it is open.

        Raises:
            TransportError: it could not be opened; the client goes on trying.
            AuthError: the token was refused before.
        """
        running = self._driver.running()
        await running.ready()
        await running.connected()

    async def close(self, *, drain: bool = True) -> None:
        """Close the socket; everything pending ends with `ClientClosedError`. Idempotent.

        Args:
            drain: first wait, for up to `close_timeout` seconds, for the mutations and actions
                that were sent.

        Raises:
            LocalProtocolError: the client belongs to another loop, thread or process, where it
                stays open.
        """
        await self._driver.close(drain_for=self._close_timeout if drain else None)

    async def __aenter__(self) -> Self:
        try:
            await self._driver.running().ready()
        except OutboxError:
            await self.close()  # nobody else will
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __del__(self) -> None:
        driver = getattr(self, "_driver", None)
        if driver is None or driver.closed or not driver.is_used:
            return
        warnings.warn(
            f"{self!r} was dropped without close()", ResourceWarning, source=self, stacklevel=2
        )
        driver.discard()

    @property
    def outbox(self) -> Outbox:
        """The mutations that outlive the process.

        Raises:
            LocalProtocolError: the client was made without `outbox=`.
        """
        if self._driver.outbox is None:
            raise LocalProtocolError("the client has no outbox: make it with outbox=path")
        return self._driver.outbox

    @property
    def state(self) -> ClientState:
        """What the connection and the identity are like right now."""
        return self._driver.state

    async def states(self) -> AsyncGenerator[ClientState, None]:
        """The state now, and each later one that differs; the newest wins if you are slow."""
        changed = asyncio.Event()
        unwatch = self._driver.running().watch(changed.set)
        last: ClientState | None = None
        try:
            while last is None or not last.is_final:
                changed.clear()
                if (state := self.state) != last:
                    last = state
                    yield state
                else:
                    await changed.wait()
        finally:
            unwatch()

    # Calls

    @overload
    def mutation(
        self,
        path: MutationCall[T],
        *,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, Any]: ...
    def mutation(
        self,
        path: str | FunctionReference | MutationCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Run a mutation exactly once; returns when this client's subscriptions show its effect.

        It is sent again after a reconnect, in order, and applied once. A cancelled or timed-out
        call is withdrawn if it was not sent, and is not sent again if it was. Arguments and errors
        are those of `query`, and:

        Args:
            optimistic: `update(store, args)`, a plain function that lets this client's
                subscriptions show at once what is expected, see `OptimisticLocalStore`. It is run
                when the mutation is queued, where an error of its own is raised and nothing is
                sent; and again over each new state until the mutation has settled, was withdrawn,
                or another user is set. If it fails then, that is logged, and it is dropped.
        """
        check(optimistic)
        function, wire, made = self._reading.call("mutation", path, args, type)
        update = None if optimistic is None else over_wire(optimistic, wire, self._reading)
        return self._request("mutation", function, wire, made, self._limit(timeout), update)

    @overload
    def subscribe(
        self,
        path: QueryCall[T],
        *,
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[T]: ...
    @overload
    def subscribe(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: type[T],
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[T]: ...
    @overload
    def subscribe(
        self,
        path: str | FunctionReference,
        args: Arguments | None = None,
        *,
        type: Any = None,
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[Any]: ...
    def subscribe(
        self,
        path: str | FunctionReference | QueryCall[Any],
        args: Arguments | None = None,
        *,
        type: Any = None,
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[Any]:
        """Keep a query up to date, from this call on; needs a running loop, but never waits.

        Equal path and arguments share one query on the deployment.

        Args:
            path, args, type: as for `query`.
            buffer: keep up to so many states for a slow consumer, in place of the newest alone.
            linger: seconds for which the query stays after its last subscription is gone.

        Raises:
            CodecError, ValueError, TypeError: bad arguments, path or options.
            ClientClosedError: the client is closed.
        """
        if buffer is not None and buffer < 1:
            raise ValueError(f"buffer is a number of states, at least 1, not {buffer}")
        if linger < 0:
            raise ValueError(f"linger is seconds, not {linger}")
        function, wire, made = self._reading.call("query", path, args, type)
        running = self._driver.running()
        mailbox = running.make_mailbox(buffer)
        subscriber = running.subscribe(function, wire, mailbox, linger=linger)
        return Subscription(function, subscriber, mailbox, running, type=made)

    def set_debug(self, debug: bool) -> None:
        super().set_debug(debug)
        self._driver.set_debug(debug)

    # How

    def _become(self, credential: Credential | None, fetcher: TokenFetcher | None) -> None:
        self._driver.become(credential, fetcher)

    async def _user_token(self) -> str | None:
        """The JWT in force, waiting for one that is being fetched; None for anybody else."""
        async with contextlib.aclosing(self.states()) as states:
            async for state in states:
                if state.auth != "fetching":
                    break
        match self._driver.identity.state:
            case Unconfirmed(credential) | Confirmed(credential):
                return credential.value if credential.token_type == "User" else None
            case Refused(message):
                raise AuthError(message)
            case Waiting():
                return None

    def _http_session(self) -> aiohttp.ClientSession:
        return self._driver.session()

    def _running(self) -> Running:
        return self._driver.running()
