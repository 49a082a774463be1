"""One client in one event loop: its core, its socket, its timers, and whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from convex_async.auth.tokens import TokenFetcher
from convex_async.connection.alarm import Alarm
from convex_async.connection.callers import Callers
from convex_async.connection.delivery import Delivery
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.pump import Pump
from convex_async.connection.sign_in import SignIn
from convex_async.errors import (
    AuthError,
    ClientClosedError,
    ConvexClientError,
    InternalError,
    OutboxError,
    Outcome,
    ProtocolError,
    once_more,
)
from convex_async.function_path import FunctionPath
from convex_async.outbox.journal import NoJournal
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.identity import Credential
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.protocol.results import Answer
from convex_async.transport.base import Connector

logger: logging.Logger = logging.getLogger("convex_async")


class Running:
    """Runs one client core over sockets, from now on in the running loop.

    Args:
        core: the protocol state; nobody else may change it.
        connect: opens a transport.
        connect_timeout: seconds that opening one may take.
        max_message_size: the most characters of a transition that comes in parts.
        journal: keeps mutations over the end of the process.
        target: the URL that sockets are opened to, for the log.
        release: closes what the sockets need, when they are gone.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        connect: Connector,
        *,
        connect_timeout: float,
        max_message_size: int,
        journal: NoJournal | None = None,
        target: str = "the deployment",
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._core = core
        self._journal = journal = journal or NoJournal()
        self._release = release
        self._clock = clock = time.monotonic
        self._loop = loop = asyncio.get_running_loop()
        self._alarm = Alarm(loop)
        self._callers = Callers(core, loop, journal, self._changed)
        self._delivery = self._make_delivery(
            core, self._callers, self._alarm, loop=loop, clock=clock
        )
        self._sign_in = SignIn(
            core, self._callers, journal, loop=loop, delivery=self._delivery, clock=clock
        )
        self._pump = Pump(
            core,
            connect,
            self._delivery,
            self._alarm,
            prepare=self._sign_in.renew_if_ending,
            connected=self._callers.connected,
            disconnected=self._callers.disconnected,
            target=target,
            connect_timeout=connect_timeout,
            max_message_size=max_message_size,
            loop=loop,
            clock=clock,
        )
        self._delivery.attach(cut=self._pump.cut, renew=self._sign_in.renew)
        self._task = loop.create_task(self._run(), name="convex-async driver")

    def _make_delivery(self, *args: Any, **options: Any) -> Delivery:
        return Delivery(*args, **options)

    # What the client asks for; all synchronous, so that one tick's intents leave together

    @property
    def core(self) -> ClientProtocol[Mailbox]:
        """The protocol state, for reading."""
        return self._core

    @property
    def is_alive(self) -> bool:
        """Whether sockets are still opened."""
        return not self._task.done()

    @property
    def is_connecting(self) -> bool:
        """Whether a socket is being opened."""
        return self._pump.is_connecting

    def check(self) -> None:
        """Raise why nothing can be asked any more, if so."""
        if self._delivery.failure is not None:
            raise once_more(self._delivery.failure)

    def set_debug(self, debug: bool) -> None:
        """Log what functions log."""
        self._delivery.debug = debug

    def make_mailbox(self, buffer: int | None) -> Mailbox:
        """What a subscription is delivered into."""
        return Mailbox(buffer)

    def subscribe(
        self,
        path: FunctionPath,
        args: bytes,
        mailbox: Mailbox,
        *,
        fresh: bool = False,
        linger: float = 0.0,
    ) -> Subscriber[Mailbox]:
        """Begin, or share, a query; what is known of it is in the mailbox at once."""
        subscriber, result = self._core.subscribe(path, args, mailbox, fresh=fresh, linger=linger)
        if result is not None:
            mailbox.deliver(result, self._core.ts)
        if self._delivery.failure is not None:
            mailbox.fail(self._delivery.failure)
        self._delivery.settle()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber[Mailbox]) -> None:
        """Leave a query soon; from any thread, also while the garbage collector runs."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the socket with it
            self._loop.call_soon_threadsafe(self.unsubscribe_now, subscriber)

    def unsubscribe_now(self, subscriber: Subscriber[Mailbox]) -> None:
        """Leave a query; in the loop's own thread only."""
        self._core.unsubscribe(subscriber, now=self._clock())
        self._delivery.settle()

    def trouble(self) -> str:
        """What keeps answers from coming, as far as is known; empty if nothing does."""
        return self._pump.trouble()

    def known_of(self, subscriber: Subscriber[Mailbox]) -> Outcome:
        """What is known of a query without a result."""
        return "unknown" if self._core.was_sent(subscriber) else "not_sent"

    def request(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        timeout: float | None,
        update: OptimisticUpdate | None = None,
    ) -> tuple[RequestId, asyncio.Future[Answer]]:
        """Queue a mutation or action, see `Callers.begin`; `send` lets it go out."""
        request = self._callers.begin(kind, path, args, timeout, update)
        self._delivery.tell()
        return request

    def send(self) -> Coroutine[Any, Any, None]:
        """Let go out what waits, see `Pump.send_now`."""
        return self._pump.send_now()

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """Nobody waits for the request any more: what is known of it, None if it is settled."""
        outcome = self._callers.withdraw(request_id)
        self._delivery.settle()
        return outcome

    @property
    def is_ready(self) -> bool:
        """Whether `ready` has nothing to wait for, as without an outbox."""
        return not self._journal.is_kept

    async def ready(self) -> None:
        """Wait until requests can be made: their ids are in the outbox.

        Raises:
            OutboxError: it can't be had.
        """
        if self._journal.is_kept:
            await self._sign_in.open()

    def discarded(self, request_id: RequestId) -> None:
        """The user took the request out of the outbox."""
        self._callers.discarded(request_id)
        self._delivery.settle()

    def _changed(self) -> None:
        self._delivery.settle()

    def become(self, credential: Credential | None, fetch: TokenFetcher | None) -> None:
        """Be another user, with a credential or with a fetcher that gets one."""
        self._sign_in.become(credential, fetch)
        self._delivery.recover()
        self._delivery.settle()

    def fetch_tokens(self, fetch: TokenFetcher) -> None:
        """Begin to get tokens for the present user, who waits for one."""
        self._sign_in.fetch(fetch)

    async def connected(self) -> None:
        """Wait until a socket is open; do not wait for a backoff to pass.

        Raises:
            TransportError: the next try failed.
            ConvexClientError: no try will be made.
        """
        if isinstance(self._core.connection, Online):
            return
        self.check()
        self._core.connect_now(now=self._clock())
        self._delivery.settle()
        await self._delivery.connected()

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` whenever the connection's state may have changed; returns how to stop."""
        return self._delivery.watch(notify)

    async def drained(self) -> None:
        """Wait until everything that was sent is answered."""
        if (sent := self._callers.sent()) and isinstance(self._core.connection, Online):
            await asyncio.wait(sent)

    # The end

    async def stop(self, error: ConvexClientError) -> None:
        """End for good: whatever waits gets the error; the socket is closed."""
        self._delivery.fail_all(error)
        self._sign_in.stop()
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._pump.farewell()
        await self._let_go()

    def abandon(self) -> None:
        """The loop is gone: whoever still waits, elsewhere, is told; nothing is awaited."""
        if self._delivery.failure is None:
            error = ClientClosedError("the event loop that the client ran in is gone")
            with contextlib.suppress(RuntimeError):  # those who waited in it are gone too
                self._delivery.fail_all(error)

    def discard(self) -> None:
        """The client was dropped without being closed: let go of everything, without waiting."""
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._loop.call_soon_threadsafe(self._journal.close_soon)

    async def _run(self) -> None:
        error: ConvexClientError = ClientClosedError("the client's event loop was stopped")
        try:
            await self._sign_in.open()
            await self._pump.run()
        except asyncio.CancelledError:
            # By `stop`, or as the loop ends with a client that nobody closed.
            self._end(error)
            await self._pump.farewell()
            await self._let_go()
            raise
        except (ProtocolError, OutboxError) as refusal:
            error = refusal
        except BaseException as bug:
            error = InternalError(f"the client stopped on a bug of its own: {bug!r}")
            error.__cause__ = bug
            logger.exception("the client stopped on a bug of its own")
        self._end(error)

    def _end(self, error: ConvexClientError) -> None:
        self._delivery.stop_timer()
        if self._delivery.failure is None or isinstance(self._delivery.failure, AuthError):
            self._delivery.fail_all(error)

    async def _let_go(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            await release()
