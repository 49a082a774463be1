"""The connection as it is with a tracer: the same, and each fact is told."""

from __future__ import annotations

from typing import Any

from convex_async.connection.delivery import Delivery
from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.errors import ConvexClientError
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import (
    ClientEvent,
    IdentityRefused,
    ResultsChanged,
    TokenNeeded,
)
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.results import Succeeded
from convex_async.telemetry.tracer import SafeTracer


class TracedMailbox(Mailbox):
    """Knows whether its consumer has looked at the newest result."""

    __slots__ = ("_newest", "_was_read")

    def __init__(self, buffer: int | None = None) -> None:
        self._was_read = True
        super().__init__(buffer)

    @property
    def is_unread(self) -> bool:
        # With a buffer nothing is skipped before it overflows.
        return self.states is None and not self._was_read

    @property
    def result(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The newest result; whoever asks has seen it."""
        self._was_read = True
        return self._newest

    @result.setter
    def result(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, result: Any
    ) -> None:
        self._newest = result
        self._was_read = result is None


class TracedDelivery(Delivery):
    """Tells a tracer what it brings to whom."""

    tracer: SafeTracer
    _was_online = False

    def settle(self, *, cause: BaseException | None = None) -> None:
        super().settle(cause=cause)
        self._tell_of_socket()

    def received(self) -> None:
        super().received()
        self._tell_of_socket()

    def _tell_of_socket(self) -> None:
        is_online = isinstance(self._core.connection, Online)
        if is_online == self._was_online:
            return
        self._was_online = is_online
        if is_online:
            self.tracer.connected(self._core.connection_count)
        else:
            self.tracer.disconnected(self._core.last_close_reason)

    def tell_connected(self, failure: ConvexClientError | None = None) -> None:
        super().tell_connected(failure)
        if failure is not None and self.failure is None:
            self.tracer.connect_failed(str(failure))

    def _handle(self, event: ClientEvent[Mailbox], cause: BaseException | None) -> None:
        match event:
            case ResultsChanged():
                for subscriber, result in event.deliveries:
                    path = subscriber.query.path
                    if subscriber.mailbox.is_unread:
                        self.tracer.skipped(path)
                    size = len(result.value) if isinstance(result, Succeeded) else 0
                    self.tracer.updated(path, size)
            case TokenNeeded(message):
                self.tracer.token_refused(message, is_final=False)
            case IdentityRefused(message, _):
                self.tracer.token_refused(message, is_final=True)
            case _:
                pass
        super()._handle(event, cause)


class TracedRunning(Running):
    """Tells a tracer of subscriptions too; a query that is asked once is none."""

    def __init__(self, *args: Any, tracer: SafeTracer, **options: Any) -> None:
        self._tracer = tracer
        self._counted: set[Subscriber[Mailbox]] = set()
        super().__init__(*args, **options)

    def _make_delivery(self, *args: Any, **options: Any) -> Delivery:
        delivery = TracedDelivery(*args, **options)
        delivery.tracer = self._tracer
        return delivery

    def make_mailbox(self, buffer: int | None) -> Mailbox:
        return TracedMailbox(buffer)

    def subscribe(
        self,
        path: FunctionPath,
        args: bytes,
        mailbox: Mailbox,
        *,
        fresh: bool = False,
        linger: float = 0.0,
    ) -> Subscriber[Mailbox]:
        subscriber = super().subscribe(path, args, mailbox, fresh=fresh, linger=linger)
        if not fresh:
            self._counted.add(subscriber)
            self._tracer.subscribed(path)
        return subscriber

    def unsubscribe_now(self, subscriber: Subscriber[Mailbox]) -> None:
        super().unsubscribe_now(subscriber)
        self._left(subscriber)

    async def stop(self, error: ConvexClientError) -> None:
        try:
            await super().stop(error)
        finally:
            for subscriber in list(self._counted):
                self._left(subscriber)

    def _left(self, subscriber: Subscriber[Mailbox]) -> None:
        if subscriber in self._counted:
            self._counted.remove(subscriber)
            self._tracer.unsubscribed(subscriber.query.path)
