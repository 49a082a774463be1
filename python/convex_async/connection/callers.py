"""The callers that wait for mutations and actions, and the outbox that outlives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from convex_async.connection.mailbox import Mailbox
from convex_async.errors import (
    AuthError,
    ConvexClientError,
    OutboxError,
    Outcome,
    once_more,
)
from convex_async.function_path import FunctionPath
from convex_async.outbox.journal import NoJournal
from convex_async.protocol.client.client_protocol import ClientProtocol
from convex_async.protocol.client.overlay import OptimisticUpdate
from convex_async.protocol.client.requests import RequestId, RequestKind
from convex_async.protocol.results import Answer, Failed, TooLarge

logger: logging.Logger = logging.getLogger("convex_async")


class Callers:
    """Who waits for which request of one client.

    Args:
        core: the protocol state, which has the requests.
        journal: keeps the mutations over the end of the process.
        changed: is called when the core was changed from here.

    Attributes:
        user: as whom mutations are noted; None while a token is being fetched.
    """

    def __init__(
        self,
        core: ClientProtocol[Mailbox],
        loop: asyncio.AbstractEventLoop,
        journal: NoJournal,
        changed: Callable[[], None],
    ) -> None:
        self._core = core
        self._loop = loop
        self._journal = journal
        self._changed = changed
        self.user: str | None = None
        self._waiting: dict[RequestId, asyncio.Future[Answer]] = {}
        self._deadlines: dict[RequestId, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(
        self,
        kind: RequestKind,
        path: FunctionPath,
        args: bytes,
        timeout: float | None,
        update: OptimisticUpdate | None,
    ) -> tuple[RequestId, asyncio.Future[Answer]]:
        """Queue a request.

        Args:
            update: what is expected of a mutation; if it raises, nothing was queued.

        Returns:
            Its id, and its answer, which raises `TimeoutError` after `timeout` seconds; the
            request is to be withdrawn then.

        Its answer raises `OutboxError` if it can't be kept; it was not sent then.
        """
        request_id = self._journal.next_id()
        if kind == "action":
            request_id = self._core.action(path, args, request_id)
            self._journal.add_unnoted(request_id)
        else:
            request_id = self._core.mutation(path, args, request_id, update)
            self._journal.add(request_id, path, args, user=self.user)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[request_id] = answer
        if timeout is not None:
            self._limit(request_id, timeout)
        return request_id, answer

    def _limit(self, request_id: RequestId, timeout: float) -> None:
        """Let the wait end in time. One timer for all calls: most never need theirs."""
        deadline = self._loop.time() + timeout
        self._deadlines[request_id] = deadline
        if self._timer is None or deadline < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._time_out)

    def _time_out(self) -> None:
        now = self._loop.time()
        for request_id, deadline in self._deadlines.items():
            future = self._waiting[request_id]
            if deadline <= now and not future.done():
                future.set_exception(TimeoutError())
        left = [deadline for deadline in self._deadlines.values() if deadline > now]
        self._timer = self._loop.call_at(min(left), self._time_out) if left else None

    def withdraw(self, request_id: RequestId) -> Outcome | None:
        """Nobody waits for the request any more: what is known of it, None if it is settled."""
        self._take(request_id)
        self._journal.forget(request_id)
        return self._core.withdraw(request_id)

    def _take(self, request_id: RequestId) -> asyncio.Future[Answer] | None:
        """Who waits for a request, who then does so no longer."""
        self._deadlines.pop(request_id, None)
        return self._waiting.pop(request_id, None)

    def discarded(self, request_id: RequestId) -> None:
        """The user took the request out of the outbox."""
        outcome = self._core.withdraw(request_id)
        future = self._take(request_id)
        if future is not None and not future.done():
            known = "will not run" if outcome == "not_sent" else "may have run"
            future.set_exception(OutboxError(f"it was discarded from the outbox, and {known}"))

    def settle(self, request_id: RequestId, answer: Answer) -> None:
        """The deployment answered, or the action is lost."""
        future = self._take(request_id)
        is_ownerless = future is None and self._journal.is_kept
        if is_ownerless and (failure := _failure(answer)) is not None:
            logger.warning("a mutation of an earlier process failed: %s", failure)
            self._journal.fail(request_id, failure)
        else:
            self._journal.forget(request_id)
        if future is not None and not future.done():
            future.set_result(answer)

    def refuse(
        self,
        abandoned: list[tuple[RequestId, Outcome]],
        message: str,
        cause: BaseException | None = None,
    ) -> None:
        """The user these were made as was refused."""
        for request_id, outcome in abandoned:
            future = self._take(request_id)
            # Nobody was told of those of an earlier process: they wait for their user.
            (self._journal.release if future is None else self._journal.forget)(request_id)
            if future is not None and not future.done():
                error = AuthError(message, outcome=outcome)
                error.__cause__ = cause
                future.set_exception(error)

    def stop(
        self, error: ConvexClientError, abandoned: Sequence[tuple[RequestId, Outcome]] = ()
    ) -> None:
        """No answer will come to this process; what is in the outbox stays there.

        Args:
            abandoned: what the core knew of requests that it has given up before.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        known = dict([*self._core.pending_requests, *abandoned])
        for request_id, future in self._waiting.items():
            if not future.done():
                # What is in an outbox may be sent by a later process.
                outcome = "unknown" if self._journal.is_kept else known.get(request_id, "unknown")
                future.set_exception(once_more(error, outcome))
        self._waiting.clear()
        self._deadlines.clear()

    def sent(self) -> list[asyncio.Future[Answer]]:
        """The answers that are awaited from the deployment."""
        return [
            self._waiting[request_id]
            for request_id, outcome in self._core.pending_requests
            if outcome == "unknown" and request_id in self._waiting
        ]

    def begin_journal(self) -> None:
        """The journal is open: what is noted in it may be sent."""
        self._journal.begin(self._kept, self._not_kept)

    def _kept(self, up_to: RequestId) -> None:
        self._core.hold_back(above=up_to)
        self._changed()

    def _not_kept(self, request_id: RequestId, error: OutboxError) -> None:
        self._core.withdraw(request_id)
        future = self._take(request_id)
        if future is not None and not future.done():
            future.set_exception(OutboxError(str(error)))
        self._changed()

    def connected(self) -> None:
        """A socket is open."""
        if self._journal.connected():
            self._core.hold_back(above=-1)

    def disconnected(self) -> None:
        """The socket is gone."""
        self._journal.disconnected()


def _failure(answer: Answer) -> str | None:
    """Why it is of no use to ask again."""
    match answer:
        case Failed():
            return answer.message
        case TooLarge():
            return f"its message is too large: {answer.reason}"
        case _:
            return None
