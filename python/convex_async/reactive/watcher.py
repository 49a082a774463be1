"""A changing set of live queries, seen together: moment by moment, never one half of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from convex_async.connection.mailbox import Mailbox
from convex_async.connection.running import Running
from convex_async.errors import LocalProtocolError
from convex_async.function_path import FunctionPath
from convex_async.protocol.client.query_set import Subscriber
from convex_async.protocol.results import FunctionResult

K = TypeVar("K", bound=Hashable)


class Member(Mailbox):
    """One query of the set: what the driver delivers into.

    Attributes:
        shown: the result that the last moment had of it.
    """

    __slots__ = ("path", "shown", "subscriber", "watcher")

    subscriber: Subscriber[Mailbox]

    def __init__(self, watcher: QuerySetWatcher[Any], path: FunctionPath) -> None:
        super().__init__()
        self.path: FunctionPath = path
        self.shown: FunctionResult | None = None
        self.watcher: QuerySetWatcher[Any] = watcher

    @property
    def is_unread(self) -> bool:
        return self.result is not None and self.shown is not self.result

    def _wake(self) -> None:
        self.watcher._stir(self)


class QuerySetWatcher(Generic[K]):
    """Waits for the next moment at which any query of the set has changed.

    The deployment sends all results of one time in one transition, and the driver delivers those
    before anything else runs. What a consumer finds is therefore of one time, but for the while
    after a reconnect in which some queries were confirmed on the new socket and others not yet:
    nothing is shown then.

    Args:
        driver: of the client.
        whole: show nothing before every query has a result.
    """

    def __init__(self, driver: Running, *, whole: bool) -> None:
        self.members: dict[K, Member] = {}
        self._driver = driver
        self._whole = whole
        self._stirred: set[Member] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._unwatch: Callable[[], None] | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def ts(self) -> int:
        """The deployment's time of the newest result, ns since the epoch; 0 before the first."""
        return max((member.ts for member in self.members.values()), default=0)

    def add(self, key: K, path: FunctionPath, args: bytes) -> None:
        """Follow one more query; it joins the moments when it has a result."""
        member = Member(self, path)
        self.members[key] = member
        member.subscriber = self._driver.subscribe(path, args, member)

    def remove(self, key: K) -> None:
        """Leave a query. Idempotent; from any thread."""
        member = self.members.pop(key, None)
        if member is not None:
            self._stirred.discard(member)
            self._driver.unsubscribe(member.subscriber)

    def close(self) -> None:
        """Leave all; who waits is told. Idempotent; from any thread."""
        self._closed = True
        for key in list(self.members):
            self.remove(key)
        self._stop_watching()
        self.wake()

    async def changed(self) -> bool:
        """Wait until the members' results are those of a moment that was not shown yet.

        Returns:
            False once it is closed.

        Raises:
            ClientClosedError, AuthError, RemoteProtocolError: no more results come, or none
                before another user is set.
            LocalProtocolError: another task waits already.
        """
        while not self._closed:
            for member in self.members.values():
                if member.error is not None:
                    raise member.error.with_traceback(None)
            if self._stirred and self._show():
                return True
            await self._wait()
        return False

    def wake(self) -> None:
        """Let who waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stir(self, member: Member) -> None:
        self._stirred.add(member)
        self.wake()

    def _show(self) -> bool:
        """Take what there is as shown, if it is of one moment and news."""
        members = self.members.values()
        loaded = [member for member in members if member.result is not None]
        if self._whole and len(loaded) < len(members):
            return False
        if len({member.subscriber.query.fresh for member in loaded}) > 1:
            # That a query is the same as before is no delivery: look after each message.
            if self._unwatch is None:
                self._unwatch = self._driver.watch(self.wake)
            return False
        self._stop_watching()
        is_news = False
        for member in self._stirred:
            before, now = member.shown, member.result
            is_news = is_news or before is None or now is None or not before.same_state(now)
        self._stirred.clear()
        if is_news:
            for member in loaded:
                member.shown = member.result
        return is_news

    def _stop_watching(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise LocalProtocolError(
                "another task is waiting for this view; make another one instead, "
                "which costs no second query on the deployment"
            )
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
