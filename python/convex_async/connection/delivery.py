"""What the core says, brought to whom it concerns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from convex_async.connection.alarm import Alarm
from convex_async.connection.callers import Callers
from convex_async.connection.mailbox import Mailbox
from convex_async.errors import (
    AuthError,
    ConvexClientError,
    Outcome,
    RemoteProtocolError,
    once_more,
)
from convex_async.protocol.client.client_protocol import ClientProtocol
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
from convex_async.protocol.client.requests import RequestId
from convex_async.shown import escaped, without_secrets
from convex_async.telemetry.function_logs import log_function_lines

logger: logging.Logger = logging.getLogger("convex_async")

# Seconds past a deadline of the core at which it is ticked: asyncio fires timers early, by up to
# the resolution of its clock (16 ms on Windows), and would repeat a tick until the deadline came.
LATENESS = 0.02


class Delivery:
    """Tells consumers, callers, watchers and timers what has become of a fact.

    Args:
        alarm: wakes the pump.
        clock: the core's, monotonic seconds.

    Attributes:
        failure: why nothing can be asked any more, or None.
        debug: whether what functions log is logged here.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        callers: Callers,
        alarm: Alarm,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self.failure: ConvexClientError | None = None
        self.debug = False
        self._core = core
        self._callers = callers
        self._alarm = alarm
        self._loop = loop
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._watchers: list[Callable[[], None]] = []
        self._connecting: list[asyncio.Future[None]] = []
        self._cut: Callable[[str], None] = lambda reason: None
        self._renew: Callable[[str], None] = lambda refused: None

    def attach(self, *, cut: Callable[[str], None], renew: Callable[[str], None]) -> None:
        """Say who cuts the socket, for a reason, and who gets another token, and why."""
        self._cut, self._renew = cut, renew

    def settle(self, *, cause: BaseException | None = None) -> None:
        """A fact was told to the core: see to all that follows from it.

        Args:
            cause: of a refusal, where it is an error of the user's own.
        """
        self.tell(cause=cause)
        core = self._core
        deadline = core.next_deadline
        if deadline is None or self._timer is None or deadline < self._armed_for:
            self._arm(deadline)
        if core.wants_attention:
            self._alarm.set()

    def received(self) -> None:
        """A message was told to the core: the part of `settle` that this needs.

        It is done for each frame, so the deadlines are not looked at again: no message brings
        one forward, and a tick that comes too early does nothing.
        """
        self.tell()
        core = self._core
        if self._timer is None:
            self._arm(core.next_deadline)
        if core.wants_attention:
            self._alarm.set()

    def tell(self, *, cause: BaseException | None = None) -> None:
        """The part of `settle` that lets nothing be sent yet."""
        for event in self._core.events():
            self._handle(event, cause)
        if self._watchers:
            for notify in list(self._watchers):
                notify()

    def _shown(self, text: str) -> str:
        """What a deployment says, without the token that it may have been told."""
        credential = self._core.identity.credential
        return escaped(without_secrets(text, [credential.value if credential else None]))

    # Who waits

    def watch(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Call `notify` whenever the connection's state may have changed; returns how to stop."""
        self._watchers.append(notify)
        return lambda: self._watchers.remove(notify)

    async def connected(self) -> None:
        """Wait until a socket is open, or raise why it could not be opened."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._connecting.append(waiter)
        await waiter

    def tell_connected(self, failure: ConvexClientError | None = None) -> None:
        """A socket is open, or could not be opened."""
        waiters, self._connecting = self._connecting, []
        for waiter in waiters:
            if waiter.done():
                continue
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(once_more(failure))

    # The end

    def fail_all(
        self, error: ConvexClientError, abandoned: Sequence[tuple[RequestId, Outcome]] = ()
    ) -> None:
        """Nothing more will come: tell everybody who waits.

        Args:
            abandoned: what is known of requests that the core has given up already.
        """
        self.failure = error
        self._callers.stop(error, abandoned)
        for mailbox in self._mailboxes():
            mailbox.fail(error)
        self.tell_connected(error)
        self.tell()

    def recover(self) -> None:
        """Another user is set after a refusal: results come again."""
        if isinstance(self.failure, AuthError):
            self.failure = None
            for mailbox in self._mailboxes():
                mailbox.recover()

    def stop_timer(self) -> None:
        """The core is not ticked any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # How

    def _handle(self, event: ClientEvent[Mailbox], cause: BaseException | None) -> None:
        match event:
            case ResultsChanged():
                for subscriber, result in event.deliveries:
                    subscriber.mailbox.deliver(result, event.ts)
            case RequestSettled():
                self._callers.settle(event.request_id, event.answer)
            case FunctionLogged(path, log_lines):
                if self.debug:
                    log_function_lines(path, log_lines)
            case OptimisticUpdateFailed(path, error):
                logger.error(
                    "an optimistic update of %s failed and is dropped", path, exc_info=error
                )
            case CloseConnection(reason):
                self._cut(reason)
            case TokenNeeded(message):
                self._renew(self._shown(message))
            case IdentityConfirmed():
                pass
            case IdentityRefused(message, abandoned):
                message = self._shown(message)
                self._callers.refuse(abandoned, message, cause)
                self.failure = AuthError(message)
                self.failure.__cause__ = cause
                for mailbox in self._mailboxes():
                    mailbox.fail(self.failure)
            case RequestsRefused(message, abandoned):
                self._callers.refuse(abandoned, self._shown(message))
            case Stopped(message, abandoned):
                text = self._shown(message)
                error = RemoteProtocolError(f"the deployment ended the session: {text}")
                self.fail_all(error, abandoned)
                self._cut("FatalError")
            case _:
                assert_never(event)

    def _mailboxes(self) -> Iterator[Mailbox]:
        return (subscriber.mailbox for subscriber in self._core.subscribers())

    def _arm(self, deadline: float | None) -> None:
        """Make sure that the core is ticked at its deadline."""
        self.stop_timer()
        if deadline is not None:
            self._armed_for = deadline
            at = self._loop.time() + deadline - self._clock() + LATENESS
            self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._core.tick(now=self._clock())
        self.settle()
