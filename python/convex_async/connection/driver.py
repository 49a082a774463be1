"""The one task: owns the core, the socket and the timers, and wakes whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import assert_never

from convex_async.auth.tokens import TokenFetcher, TokenSource
from convex_async.connection.alarm import Alarm
from convex_async.connection.callers import Calls
from convex_async.connection.mailbox import Mailbox
from convex_async.errors import (
    AuthError,
    ClientClosedError,
    ConvexClientError,
    OutboxError,
    Outcome,
    RemoteProtocolError,
    TransportError,
)
from convex_async.function_path import FunctionPath
from convex_async.outbox.journal import NoJournal
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.connection import Offline, Online
from convex_async.protocol.client.events import (
    ClientEvent,
    CloseConnection,
    FunctionLogged,
    IdentityConfirmed,
    IdentityRefused,
    OptimisticUpdateFailed,
    RequestSettled,
    RequestsRefused,
    ResultsChanged,
    Stopped,
    TokenNeeded,
)
from convex_async.protocol.client.identity import Credential
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.protocol.frames import FrameDecoder, encode_message
from convex_async.protocol.results import Answer
from convex_async.telemetry.function_logs import log_function_lines, show_function_logs
from convex_async.transport.base import ConnectionClosed, Connector, Transport

logger = logging.getLogger("convex_async")

# Seconds of handling frames after which other tasks get their turn: aiohttp hands over queued
# frames without ever yielding to the loop.
SLICE = 0.001
# Seconds for saying goodbye to a socket that is being replaced.
GOODBYE = 1.0
# Seconds past a deadline of the core at which it is ticked: asyncio fires timers early, by up to
# the resolution of its clock (16 ms on Windows), and would repeat a tick until the deadline came.
LATENESS = 0.02


class Driver:
    """Runs one client core over sockets.

    Args:
        core: the protocol state; nobody else may change it.
        connect: opens a transport.
        connect_timeout: seconds that opening one may take.
        max_message_size: the most characters of a transition that comes in parts.
        journal: keeps mutations over the end of the process.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        connect: Connector,
        *,
        connect_timeout: float,
        max_message_size: int,
        journal: NoJournal | None = None,
    ) -> None:
        self.core = core
        self.is_connecting = False
        self.failure: ConvexClientError | None = None
        self._debug = False
        self._connect = connect
        self._connect_timeout = connect_timeout
        self._decoder = FrameDecoder(limit=max_message_size)
        self._clock = time.monotonic
        self._loop = asyncio.get_running_loop()
        self._wake_up = Alarm(self._loop)
        self._cut: asyncio.Future[str] | None = None
        self._resting: Transport | None = None  # while the writer has nothing to write
        self._timer: asyncio.TimerHandle | None = None
        self._journal = journal or NoJournal()
        self._calls = Calls(core, self._loop, self._journal, self._changed)
        self._connecting: list[asyncio.Future[None]] = []
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._watchers: list[Callable[[], None]] = []
        self._tokens: TokenSource | None = None
        self._token_task: asyncio.Task[None] | None = None
        self._task = self._loop.create_task(self._run(), name="convex-async driver")

    # What the client asks for; all synchronous, so that one tick's intents leave together

    @property
    def is_running(self) -> bool:
        """Whether sockets are still opened."""
        return not self._task.done()

    def wake(self) -> None:
        """Something may have to be sent."""
        self._wake_up.set()

    def check(self) -> None:
        """Raise why nothing can be asked any more, if so."""
        if self.failure is not None:
            # Raised again and again: without this its traceback would grow each time.
            raise self.failure.with_traceback(None)

    def set_debug(self, debug: bool) -> None:
        """Log what functions log; on stderr if nobody has set up logging."""
        self._debug = debug
        if debug:
            show_function_logs()

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
        subscriber, result = self.core.subscribe(path, args, mailbox, fresh=fresh, linger=linger)
        if result is not None:
            mailbox.deliver(result, self.core.ts)
        if self.failure is not None:
            mailbox.fail(self.failure)
        self.wake()
        return subscriber

    def unsubscribe(self, subscriber: Subscriber[Mailbox]) -> None:
        """Leave a query soon; from any thread, also while the garbage collector runs."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the socket with it
            self._loop.call_soon_threadsafe(self.unsubscribe_now, subscriber)

    def unsubscribe_now(self, subscriber: Subscriber[Mailbox]) -> None:
        """Leave a query; in the loop's own thread only."""
        self.core.unsubscribe(subscriber, now=self._clock())
        self._arm()
        self.wake()

    def request(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        timeout: float | None,
        update: OptimisticUpdate | None = None,
    ) -> tuple[RequestId, asyncio.Future[Answer]]:
        """Queue a mutation or action, see `Calls.begin`; `send` lets it go out."""
        request = self._calls.begin(kind, path, args, timeout, update)
        if update is not None:
            self._handle_events()
        self._notify()
        return request

    async def send(self) -> None:
        """Let go out what waits: a request alone at once, else all of this tick together.

        Going through the writer costs the loop a turn, a tenth of what a call takes.
        """
        transport = self._resting
        if (
            transport is not None
            and transport.is_clear
            and (message := self.core.lone_message()) is not None
        ):
            try:
                await transport.send(encode_message(message))
            except ConnectionClosed as closed:
                self._cut_off(closed.reason)
        else:
            self.wake()

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """Nobody waits for the request any more: what is known of it, None if it is settled."""
        outcome = self._calls.withdraw(request_id)
        self._handle_events()
        self._notify()
        self.wake()
        return outcome

    async def ready(self) -> None:
        """Wait until requests can be made: their ids are in the outbox.

        Raises:
            OutboxError: it can't be had.
        """
        await self._calls.open()

    def discarded(self, request_id: RequestId) -> None:
        """The user took the request out of the outbox."""
        self._calls.discarded(request_id)
        self._changed()

    def _changed(self) -> None:
        """The core was changed by what others did."""
        self._handle_events()
        self._notify()
        self.wake()

    def set_identity(self, credential: Credential | None, fetch: TokenFetcher | None) -> None:
        """Become another user, with a credential or with a fetcher that gets one."""
        self._stop_fetching()
        self.core.set_identity(credential, now=self._clock(), refreshable=fetch is not None)
        self._calls.identify(credential)
        if isinstance(self.failure, AuthError):
            self.failure = None
            for subscriber in self.core.subscribers():
                self._mailbox(subscriber).recover()
        if fetch is not None:
            self.fetch_tokens(fetch)
        self._handle_events()
        self._notify()
        self.wake()

    def fetch_tokens(self, fetch: TokenFetcher) -> None:
        """Begin to get tokens for the present user, who waits for one."""
        self._tokens = TokenSource(fetch, clock=self._clock)
        fetching = self._tokens.run(self._provide_token, self._refuse_identity)
        self._token_task = self._loop.create_task(fetching, name="convex-async token")

    def _stop_fetching(self) -> None:
        if self._token_task is not None:
            self._token_task.cancel()
        self._tokens = self._token_task = None

    def _provide_token(self, credential: Credential) -> None:
        self.core.provide_token(credential, now=self._clock())
        self._calls.identify(credential)
        self._handle_events()
        self._notify()
        self.wake()

    def _refuse_identity(self, error: AuthError) -> None:
        self.core.refuse_identity(str(error))
        self._handle_events()
        self.wake()

    async def connected(self) -> None:
        """Wait until a socket is open; do not wait for a backoff to pass.

        Raises:
            TransportError: the next try failed.
            ConvexClientError: no try will be made.
        """
        if isinstance(self.core.connection, Online):
            return
        self.check()
        self.core.connect_now(now=self._clock())
        self.wake()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._connecting.append(waiter)
        await waiter

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` whenever the connection's state may have changed; returns how to stop."""
        self._watchers.append(notify)
        return lambda: self._watchers.remove(notify)

    async def drained(self) -> None:
        """Wait until everything that was sent is answered."""
        if (sent := self._calls.sent()) and isinstance(self.core.connection, Online):
            await asyncio.wait(sent)

    async def stop(self, error: ConvexClientError) -> None:
        """End for good: whatever waits gets the error; the socket is closed."""
        self._fail_all(error)
        self._stop_fetching()
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._goodbyes:
            await asyncio.wait(self._goodbyes)

    def discard(self) -> None:
        """The client was dropped without being closed: let go of everything, without waiting."""
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._loop.call_soon_threadsafe(self._journal.close_soon)

    # The task

    async def _run(self) -> None:
        error: ConvexClientError = ClientClosedError("the client's event loop was stopped")
        try:
            await self._calls.open()
            while True:
                await self._until_due()
                transport = await self._open()
                if transport is not None:
                    await self._use(transport)
        except asyncio.CancelledError:
            raise
        except (RemoteProtocolError, OutboxError) as refusal:
            error = refusal
        except BaseException as bug:
            error = RemoteProtocolError(f"the client stopped on an unexpected error: {bug!r}")
            error.__cause__ = bug
            logger.exception("the client stopped on an unexpected error")
        finally:
            self.is_connecting = False
            if self._timer is not None:
                self._timer.cancel()
            if self.failure is None or isinstance(self.failure, AuthError):
                self._fail_all(error)

    async def _until_due(self) -> None:
        """Wait until the core wants a socket."""
        while True:
            connection = self.core.connection
            delay = None
            if isinstance(connection, Offline) and connection.retry_at is not None:
                delay = connection.retry_at - self._clock()
                if delay <= 0:
                    return
            self._wake_up.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._wake_up.wait()
            except TimeoutError:
                pass

    async def _open(self) -> Transport | None:
        if self._tokens is not None and self._tokens.is_ending:
            self.core.hold_identity()
            self._tokens.renew()
        self.is_connecting = True
        self._notify()
        try:
            async with asyncio.timeout(self._connect_timeout):
                transport = await self._connect()
        except (TransportError, TimeoutError) as error:
            reason = str(error) or f"no answer within {self._connect_timeout} s"
            failure = error if isinstance(error, TransportError) else TransportError(reason)
            self.is_connecting = False
            self._disconnected(reason)
            for waiter in self._take_connecting():
                waiter.set_exception(failure)
            return None
        self.is_connecting = False
        return transport

    async def _use(self, transport: Transport) -> None:
        """Pump frames both ways until the socket goes."""
        self.core.connected(now=self._clock())
        self._calls.connected()
        self._decoder.clear()
        self._cut = self._loop.create_future()
        self._wake_up.set()
        self._arm()
        self._notify()
        for waiter in self._take_connecting():
            waiter.set_result(None)
        tasks: list[asyncio.Future[str]] = [
            self._loop.create_task(self._read(transport)),
            self._loop.create_task(self._write(transport)),
            self._cut,
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reason = next(task.result() for task in tasks if task.done())
            await self._stop_pumping(tasks)  # here too: a client may be closed meanwhile
        except BaseException:
            await self._stop_pumping(tasks)
            await transport.close(timeout=GOODBYE)
            raise
        # Not awaited here: a dead peer must not hold up the next socket.
        goodbye = self._loop.create_task(transport.close(timeout=GOODBYE))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)
        self._disconnected(reason)

    async def _stop_pumping(self, tasks: list[asyncio.Future[str]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._cut = None

    async def _read(self, transport: Transport) -> str:
        """Hand frames to the core; returns why the socket went."""
        core, clock = self.core, self._clock
        began = clock()
        while True:
            try:
                frame = await transport.receive()
            except ConnectionClosed as closed:
                return closed.reason
            now = clock()
            if frame is None:
                core.heard(now=now)
            else:
                try:
                    message = self._decoder.decode(frame)
                except RemoteProtocolError as error:
                    return f"ProtocolError: {error}"
                if message is not None:
                    core.received(message, now=now)
                    self._handle_events()
                    self._notify()
                    if not isinstance(message, tuple) and core.has_backlog:
                        self.wake()  # an answer makes room in the window
            if now - began > SLICE:
                await asyncio.sleep(0)
                began = clock()

    async def _write(self, transport: Transport) -> str:
        """Send what the core gives, the one gate for it; returns why the socket went."""
        try:
            while True:
                self._wake_up.clear()
                for message in self.core.messages_to_send():
                    await transport.send(encode_message(message))
                self._resting = transport
                await self._wake_up.wait()
                self._resting = None
        except ConnectionClosed as closed:
            return closed.reason
        finally:
            self._resting = None

    def _cut_off(self, reason: str) -> None:
        """Let the socket go, if there is one."""
        if self._cut is not None and not self._cut.done():
            self._cut.set_result(reason)

    def _disconnected(self, reason: str) -> None:
        logger.info("disconnected: %s", reason)
        self._calls.disconnected()
        self.core.disconnected(reason, now=self._clock(), jitter=random.random())
        self._handle_events()
        self._notify()

    # Timers and events

    def _arm(self) -> None:
        """Make sure that the core is ticked at its deadline."""
        deadline = self.core.next_deadline
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= self._at(deadline):
                return  # it fires early, and is armed again then
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(self._at(deadline), self._tick)

    def _at(self, deadline: float) -> float:
        return self._loop.time() + deadline - self._clock() + LATENESS

    def _tick(self) -> None:
        self._timer = None
        self.core.tick(now=self._clock())
        self._handle_events()
        self._arm()
        self.wake()

    def _handle_events(self) -> None:
        for event in self.core.events():
            self._handle(event)

    def _handle(self, event: ClientEvent[Mailbox]) -> None:
        match event:
            case ResultsChanged():
                for subscriber, result in event.deliveries:
                    self._mailbox(subscriber).deliver(result, event.ts)
            case RequestSettled():
                self._calls.settle(event.request_id, event.answer)
            case FunctionLogged(path, log_lines):
                if self._debug:
                    log_function_lines(path, log_lines)
            case OptimisticUpdateFailed(path, error):
                logger.error(
                    "an optimistic update of %s failed and is dropped", path, exc_info=error
                )
            case CloseConnection(reason):
                self._cut_off(reason)
            case TokenNeeded(message):
                if self._tokens is not None:
                    self._tokens.renew(refused=message)
                self._notify()
            case IdentityConfirmed():
                self._notify()
            case IdentityRefused(message, abandoned):
                self._calls.refuse(abandoned, message)
                self.failure = AuthError(message)
                for subscriber in self.core.subscribers():
                    self._mailbox(subscriber).fail(self.failure)
                self._notify()
            case RequestsRefused(message, abandoned):
                self._calls.refuse(abandoned, message)
            case Stopped(message):
                self._fail_all(RemoteProtocolError(f"the deployment ended the session: {message}"))
                self._cut_off("FatalError")
            case _:
                assert_never(event)

    def _fail_all(self, error: ConvexClientError) -> None:
        """Nothing more will come: tell everybody who waits."""
        self.failure = error
        self._calls.fail_all(error)
        for subscriber in self.core.subscribers():
            self._mailbox(subscriber).fail(error)
        for waiter in self._take_connecting():
            waiter.set_exception(error)
        self._notify()

    def _take_connecting(self) -> Iterator[asyncio.Future[None]]:
        waiters, self._connecting = self._connecting, []
        return (waiter for waiter in waiters if not waiter.done())

    def _notify(self) -> None:
        if self._watchers:
            for notify in list(self._watchers):
                notify()

    @staticmethod
    def _mailbox(subscriber: Subscriber[Mailbox]) -> Mailbox:
        mailbox = subscriber.mailbox
        assert isinstance(mailbox, Mailbox)
        return mailbox
