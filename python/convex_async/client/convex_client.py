"""The client: queries, mutations, actions and live subscriptions over one WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
import warnings
from collections.abc import AsyncGenerator, Coroutine, Mapping
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from convex_async.auth.tokens import Auth, TokenFetcher
from convex_async.client.live_views import LiveViews
from convex_async.client.optimistic import OptimisticUpdate, check, over_wire, same_value
from convex_async.client.subscription import Subscription
from convex_async.client_base.answers import value_or_raise
from convex_async.client_base.base import ClientBase, Settings
from convex_async.client_base.home_loop import Place
from convex_async.connection.driver import Driver
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.state import ClientState, state_of
from convex_async.errors import (
    AuthError,
    ClientClosedError,
    LocalProtocolError,
    OutboxError,
    Outcome,
    RequestTimeoutError,
)
from convex_async.function_path import FunctionPath, FunctionReference
from convex_async.outbox.journal import FileJournal, NoJournal
from convex_async.outbox.outbox import Outbox, outbox_path
from convex_async.protocol.client import overlay
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.identity import (
    Confirmed,
    Credential,
    Refused,
    Unconfirmed,
    Waiting,
)
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.transport.session import SessionHolder
from convex_async.version import CLIENT_HEADER

if TYPE_CHECKING:
    import aiohttp

T = TypeVar("T")

# Bytes. A result has at most 16 MiB as Convex counts, which base64 and escapes make larger on the
# wire, and the server splits no transition for us (convex-backend crates/sync).
MAX_MESSAGE_SIZE = 64 * 2**20


class ConvexClient(LiveViews, ClientBase):
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
        outbox: a file that keeps the unanswered mutations over the end of the process, however it
            ends (see `Outbox`). Give each client one of its own.

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
        outbox: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(Settings.of(url, site_url, timeout, allow_insecure))
        if inactivity_timeout <= 0 or close_timeout < 0:
            raise ValueError("timeouts are seconds, above zero")
        self._inactivity_timeout = inactivity_timeout
        self._close_timeout = close_timeout
        self._max_message_size = max_message_size
        self._compress = compress
        self._sessions = SessionHolder(session)
        self._journal, self._outbox = NoJournal(), None
        if outbox is not None:
            path = outbox_path(outbox)
            self._journal = journal = FileJournal(path, self.url)
            self._outbox = Outbox(path, journal, self._discarded)
        self._core = ClientProtocol[Mailbox](
            session_id=str(uuid.uuid4()), inactivity_timeout=inactivity_timeout, same=same_value
        )
        self._driver: Driver | None = None
        self._place: Place | None = None
        self._fetcher: TokenFetcher | None = None
        self._closed = False
        self._sign_in(auth, admin_key, acting_as)

    def __repr__(self) -> str:
        return f"<ConvexClient {self.url} {self.state.phase}>"

    # Connection

    async def connect(self) -> None:
        """Open the socket now, or return at once if it is open.

        Raises:
            TransportError: it could not be opened; the client goes on trying.
            AuthError: the token was refused before.
        """
        driver = self._running()
        await driver.ready()
        await driver.connected()

    async def close(self, *, drain: bool = True) -> None:
        """Close the socket; everything pending ends with `ClientClosedError`. Idempotent.

        Args:
            drain: first wait, for up to `close_timeout` seconds, for the mutations and actions
                that were sent.

        Raises:
            LocalProtocolError: the client belongs to another loop, thread or process, where it
                stays open.
        """
        if self._closed:
            return
        if self._place is not None:
            self._place.check()
        driver = self._driver
        self._closed = True
        try:
            if driver is not None:
                try:
                    if drain:
                        await _at_most(self._close_timeout, driver.drained())
                finally:  # also for who is cancelled while it drains
                    await driver.stop(ClientClosedError())
        finally:
            await self._journal.close()
            await self._sessions.close()

    async def __aenter__(self) -> Self:
        try:
            await self._running().ready()
        except OutboxError:
            await self.close()  # nobody else will
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_closed", True) or self._driver is None:
            return
        warnings.warn(
            f"{self!r} was dropped without close()", ResourceWarning, source=self, stacklevel=2
        )
        self._driver.discard()

    @property
    def outbox(self) -> Outbox:
        """The mutations that outlive the process.

        Raises:
            LocalProtocolError: the client was made without `outbox=`.
        """
        if self._outbox is None:
            raise LocalProtocolError("the client has no outbox: make it with outbox=path")
        return self._outbox

    @property
    def state(self) -> ClientState:
        """What the connection and the identity are like right now."""
        return state_of(self._core, self._driver, closed=self._closed)

    async def states(self) -> AsyncGenerator[ClientState, None]:
        """The state now, and each later one that differs; the newest wins if you are slow."""
        driver = self._running()
        changed = asyncio.Event()
        unwatch = driver.watch(changed.set)
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
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        timeout: float | EllipsisType | None = ...,
        optimistic: OptimisticUpdate | None = None,
    ) -> Coroutine[Any, Any, Any]: ...
    def mutation(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
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
        function, wire, made = self._reading.call(path, args, type)
        update = None if optimistic is None else over_wire(optimistic, wire)
        return self._answer("mutation", function, wire, made, self._limit(timeout), update)

    @overload
    def subscribe(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: type[T],
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[T]: ...
    @overload
    def subscribe(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        type: Any = None,
        buffer: int | None = None,
        linger: float = 0.0,
    ) -> Subscription[Any]: ...
    def subscribe(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
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
        function, wire, made = self._reading.call(path, args, type)
        driver = self._running()
        mailbox = Mailbox(buffer)
        subscriber = driver.subscribe(function, wire, mailbox, linger=linger)
        return Subscription(function, subscriber, mailbox, driver.unsubscribe, type=made)

    def set_debug(self, debug: bool) -> None:
        super().set_debug(debug)
        if self._driver is not None:
            self._driver.set_debug(debug)

    # How

    def _become(self, credential: Credential | None, fetcher: TokenFetcher | None) -> None:
        if self._closed:
            raise ClientClosedError()
        self._fetcher = fetcher
        if self._place is not None:
            self._place.check()
        if self._driver is not None:
            self._driver.set_identity(credential, fetcher)
        else:
            self._core.set_identity(credential, now=0.0, refreshable=fetcher is not None)

    def _discarded(self, request_id: RequestId) -> None:
        if self._driver is not None:
            self._driver.discarded(request_id)

    async def _user_token(self) -> str | None:
        """The JWT in force, waiting for one that is being fetched; None for anybody else."""
        async with contextlib.aclosing(self.states()) as states:
            async for state in states:
                if state.auth != "fetching":
                    break
        match self._core.identity.state:
            case Unconfirmed(credential) | Confirmed(credential):
                return credential.value if credential.token_type == "User" else None
            case Refused(message):
                raise AuthError(message)
            case Waiting():
                return None

    def _http_session(self) -> aiohttp.ClientSession:
        self._running()
        return self._sessions.get()

    def _running(self) -> Driver:
        """The driver, started in the running loop at first use."""
        if self._closed:
            raise ClientClosedError()
        if self._driver is None:
            self._place = Place("ConvexClient")
            self._driver = self._start()
        elif self._place is not None:
            self._place.check()
        return self._driver

    def _start(self) -> Driver:
        from convex_async.transport.websocket import WebSocketConnector  # imports aiohttp

        # Drawn here: a client may be made before a fork, and two processes with one session id
        # would lose each other's mutations, which the deployment takes for the same requests.
        self._core.session_id = str(uuid.uuid4())
        connector = WebSocketConnector(
            self._sessions.get(),
            self._settings.deployment.sync_url,
            client=CLIENT_HEADER,
            max_message_size=self._max_message_size,
            compress=self._compress,
        )
        driver = Driver(
            self._core,
            connector,
            connect_timeout=self._inactivity_timeout,
            max_message_size=self._max_message_size,
            journal=self._journal,
        )
        driver.set_debug(self._debug)
        if self._fetcher is not None:
            driver.fetch_tokens(self._fetcher)
        return driver

    async def _ask(self, path: FunctionPath, args: bytes, type: Any, timeout: float | None) -> Any:
        driver = self._running()
        mailbox = Mailbox()
        subscriber = driver.subscribe(path, args, mailbox, fresh=True)
        try:
            async with asyncio.timeout(timeout):
                while mailbox.result is None:
                    if mailbox.error is not None:
                        raise mailbox.error.with_traceback(None)
                    await mailbox.changed()
        except TimeoutError:
            outcome: Outcome = "unknown" if self._core.was_sent(subscriber) else "not_sent"
            raise RequestTimeoutError.after(path, timeout, outcome) from None
        finally:
            driver.unsubscribe_now(subscriber)
        return value_or_raise(path, mailbox.result, type)

    def _act(
        self, path: FunctionPath, args: bytes, type: Any, timeout: float | None
    ) -> Coroutine[Any, Any, Any]:
        return self._answer("action", path, args, type, timeout, None)

    async def _answer(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        type: Any,
        timeout: float | None,
        update: overlay.OptimisticUpdate | None,
    ) -> Any:
        driver = self._running()
        driver.check()
        if self._journal.is_kept:
            await driver.ready()
        request_id, answered = driver.request(kind, path, args, timeout, update)
        try:
            await driver.send()
            answer = await answered
        except TimeoutError:
            outcome = driver.withdraw(request_id) or "unknown"
            raise RequestTimeoutError.after(path, timeout, outcome) from None
        except asyncio.CancelledError:
            driver.withdraw(request_id)
            raise
        return value_or_raise(path, answer, type)


async def _at_most(seconds: float, wait: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wait
    except TimeoutError:
        pass
