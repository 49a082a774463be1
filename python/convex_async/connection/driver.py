"""What drives a client: it exists before any event loop, and runs in one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from convex_async.auth.tokens import TokenFetcher
from convex_async.client_base.home_loop import Place
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.connection.state import ClientState, state_of
from convex_async.errors import ClientClosedError, LocalProtocolError
from convex_async.outbox.journal import FileJournal, NoJournal, NumberedJournal
from convex_async.outbox.outbox import Outbox, outbox_path
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.identity import ANONYMOUS, ClientIdentity, Credential
from convex_async.protocol.client.requests import RequestId
from convex_async.telemetry.tracer import SafeTracer
from convex_async.transport.session import SessionHolder
from convex_async.transport.websocket import WebSocketConnector
from convex_async.version import CLIENT_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import aiohttp


class WireSettings(Struct, frozen=True):
    """How sockets are opened.

    Attributes:
        url: the sync URL, `wss://…/api/sync`.
        session: the user's own aiohttp session, or None.
        inactivity_timeout: seconds without any frame after which a socket counts as dead, and
            that opening one may take.
        max_message_size: bytes of the largest frame that is taken.
        compress: offer permessage-deflate.
    """

    url: str
    session: aiohttp.ClientSession | None
    inactivity_timeout: float
    max_message_size: int
    compress: bool


class Driver:
    """One client's life: not yet used, running in a loop, closed.

    All that belongs to a process, a thread or a loop is made at first use: the session id, the
    socket, the timers. Where the loop has ended since, all of it is made anew.

    Args:
        same: see `ClientProtocol`.
        deployment: the URL that an outbox belongs to.
        outbox: a file that keeps mutations over the end of the process; None for none.
        tracer: is told what happens; None for none.

    Attributes:
        outbox: what the user sees of it, or None.
    """

    def __init__(
        self,
        wire: WireSettings,
        *,
        same: Callable[[bytes, bytes], bool],
        outbox: str | os.PathLike[str] | None = None,
        deployment: str = "",
        tracer: SafeTracer | None = None,
    ) -> None:
        self._tracer = tracer
        self.closed: bool = False
        self._wire = wire
        self._same = same
        self._journal: NoJournal = NoJournal()
        self.outbox: Outbox | None = None
        if outbox is not None:
            path = outbox_path(outbox)
            self._journal = journal = FileJournal(path, deployment)
            self.outbox = Outbox(path, journal, self._discarded)
        self._credential: Credential | None = ANONYMOUS
        self._fetcher: TokenFetcher | None = None
        self._debug = False
        self._core = self._make_core()
        self._sessions = SessionHolder(wire.session)
        self._running: Running | None = None
        self._place: Place | None = None

    @property
    def is_used(self) -> bool:
        """Whether it runs, or has run, in some loop."""
        return self._running is not None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is logged in, and nobody is about to be."""
        return self._credential == ANONYMOUS and self._fetcher is None

    def make_alike(self, other: Driver) -> None:
        """Give another driver, not used yet, this one's user."""
        if not self.is_anonymous:
            other.become(self._credential, self._fetcher)
        other.set_debug(self._debug)

    @property
    def state(self) -> ClientState:
        """What the connection and the identity are like right now."""
        if self._place is not None and self._place.has_ended:
            self._forget()
        return state_of(self._core, self._running, closed=self.closed)

    @property
    def subscribers(self) -> int:
        """How many subscribe to queries."""
        return sum(1 for _ in self._core.subscribers())

    @property
    def identity(self) -> ClientIdentity:
        """The identity, for reading its state."""
        return self._core.identity

    def running(self) -> Running:
        """What runs in the running loop, started at first use.

        Raises:
            ClientClosedError: the client is closed.
            LocalProtocolError: it belongs to another loop, thread or process, or none is running.
            OutboxError: its outbox can't be used.
        """
        if self.closed:
            raise ClientClosedError()
        if self._place is not None:
            if self._running is not None and not self._place.has_ended:
                self._place.check()
                return self._running
            self._forget()
        self._place = Place("ConvexClient")
        self._running = self._start()
        return self._running

    def session(self) -> aiohttp.ClientSession:
        """The aiohttp session, for requests beside the socket; of the running loop."""
        self.running()
        return self._sessions.get()

    def become(self, credential: Credential | None, fetcher: TokenFetcher | None) -> None:
        """Be another user from now on, with a credential or with a fetcher that gets one."""
        if self.closed:
            raise ClientClosedError()
        if self._place is not None and self._place.has_ended:
            self._forget()
        if self._place is not None:
            self._place.check()
        self._credential, self._fetcher = credential, fetcher
        if self._running is not None:
            self._running.become(credential, fetcher)
        else:
            self._core.set_identity(credential, now=0.0, refreshable=fetcher is not None)

    def set_debug(self, debug: bool) -> None:
        """Log what functions log."""
        self._debug = debug
        if self._running is not None:
            self._running.set_debug(debug)

    async def close(self, *, drain_for: float | None) -> None:
        """End for good: whatever waits gets `ClientClosedError`. Idempotent.

        Args:
            drain_for: seconds that it waits for what was sent; None not to wait.

        Raises:
            LocalProtocolError: it runs in another loop, thread or process, where it stays so.
        """
        if self.closed:
            return
        running = self._running
        if self._place is not None and self._place.has_ended:
            self._forget()
            running = None
        elif self._place is not None:
            self._place.check()
        self.closed = True
        try:
            if running is not None:
                try:
                    if drain_for is not None:
                        await _at_most(drain_for, running.drained())
                finally:  # also for who is cancelled while it drains
                    await running.stop(ClientClosedError())
        finally:
            await self._journal.close()
            await self._sessions.close()

    def discard(self) -> None:
        """The client was dropped without being closed: let go of everything, without waiting."""
        if self._running is not None:
            self._running.discard()

    # How

    def _discarded(self, request_id: RequestId) -> None:
        if self._running is not None:
            self._running.discarded(request_id)

    def _make_core(self) -> ClientProtocol[Mailbox]:
        return ClientProtocol[Mailbox](
            session_id="",
            inactivity_timeout=self._wire.inactivity_timeout,
            same=self._same,
        )

    def number_requests(self, session_id: str, *, first: int) -> None:
        """Be this session, whose next request has this number, in place of one of its own.

        The deployment runs a request of a session once: a mutation that is sent again under its
        number, by another process too, gets the answer of the first.

        Raises:
            LocalProtocolError: the client has been used, or has an outbox.
        """
        if self.outbox is not None or self._running is not None:
            raise LocalProtocolError("only a new client, without an outbox, can be another session")
        self._journal = NumberedJournal(session_id, first)

    def _forget(self) -> None:
        """The loop has ended, and with it all that lived there: be as if never used."""
        if self._running is not None:
            self._running.abandon()
        self._running = self._place = None
        self._core = self._make_core()
        self._sessions = SessionHolder(self._wire.session)
        if self._credential != ANONYMOUS:
            refreshable = self._fetcher is not None
            self._core.set_identity(self._credential, now=0.0, refreshable=refreshable)

    def _start(self) -> Running:
        # Unless an outbox has one, which is known once it is open.
        self._core.session_id = self._journal.session_id or str(uuid.uuid4())
        connect = WebSocketConnector(
            self._sessions.get(),
            self._wire.url,
            client=CLIENT_HEADER,
            max_message_size=self._wire.max_message_size,
            compress=self._wire.compress,
        )
        make: Any = Running
        if self._tracer is not None:
            from convex_async.connection.traced import TracedRunning

            make = partial(TracedRunning, tracer=self._tracer)
        running: Running = make(
            self._core,
            connect,
            connect_timeout=self._wire.inactivity_timeout,
            max_message_size=self._wire.max_message_size,
            journal=self._journal,
            target=self._wire.url,
            release=self._sessions.close,
        )
        running.set_debug(self._debug)
        if self._fetcher is not None:
            running.fetch_tokens(self._fetcher)
        return running


async def _at_most(seconds: float, wait: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wait
