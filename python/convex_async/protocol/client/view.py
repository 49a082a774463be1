"""What the subscribers of one client see: the results, with optimistic updates over them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeAlias

from convex_async.protocol.client.overlay import ExpectedValue, OptimisticUpdate, Overlay
from convex_async.protocol.client.query_set import Mailbox, Query, QuerySet, Subscriber
from convex_async.protocol.results import FunctionResult, Succeeded

Delivery: TypeAlias = tuple[Subscriber[Mailbox], FunctionResult]
"""Who is to see what."""


class View(Generic[Mailbox]):
    """Tells what is news, and for whom; equal states are none.

    Args:
        same: whether two wire texts are one value. It is asked where an optimistic update has
            made one of them, which may spell a value otherwise than the deployment does.

    Attributes:
        failures: see `Overlay`; whoever reads them clears them.
    """

    def __init__(self, query_set: QuerySet[Mailbox], same: Callable[[bytes, bytes], bool]) -> None:
        self.failures: list[tuple[int, Exception]] = []
        self._overlay = Overlay(query_set, self.failures)
        self._same = same
        self._waiting: dict[Subscriber[Mailbox], None] = {}
        self._has_expected = False  # so that who never expects anything pays nothing for it

    def enter(
        self, subscriber: Subscriber[Mailbox], *, settled: bool, fresh: bool
    ) -> FunctionResult | None:
        """What a new subscriber may see at once; else it waits, see `release`.

        Args:
            settled: whether results are those of the present user.
            fresh: accept only results of the present socket, not one from before a disconnect.
        """
        query = subscriber.query
        if query.shown is not None and settled and (query.fresh or not fresh):
            return query.shown
        if query.shown is not None or not settled:
            subscriber.needs_fresh = True
            self._waiting[subscriber] = None
        return None

    def leave(self, subscriber: Subscriber[Mailbox]) -> None:
        """A subscriber has gone."""
        self._waiting.pop(subscriber, None)

    def withhold(self, subscribers: Iterable[Subscriber[Mailbox]]) -> None:
        """Their user is refused: they wait for the results of another, equal ones too."""
        for subscriber in subscribers:
            subscriber.needs_fresh = True
            self._waiting[subscriber] = None

    def release(self) -> list[Delivery[Mailbox]]:
        """For those who wait for a result of this socket and user, where it is there."""
        released: list[Delivery[Mailbox]] = []
        for subscriber in list(self._waiting):
            query = subscriber.query
            if query.shown is not None and query.fresh:
                subscriber.needs_fresh = False
                del self._waiting[subscriber]
                released.append((subscriber, query.shown))
        return released

    def change(
        self, queries: list[Query[Mailbox]], *, settled: bool, over: Collection[int]
    ) -> list[Delivery[Mailbox]]:
        """A transition brought these queries results, and these requests to their end."""
        if self._has_expected:
            queries = self._overlay.replay(queries, without=over)
        news = self._show(queries)
        if self._waiting and settled:
            news += self.release()
        return news

    def expect(self, request_id: int, update: OptimisticUpdate) -> list[Delivery[Mailbox]]:
        """A mutation was queued; if its update raises, nothing has happened."""
        self._has_expected = True
        return self._show(self._overlay.add(request_id, update))

    def forget(self, request_ids: Collection[int]) -> list[Delivery[Mailbox]]:
        """These requests are over, or nobody expects anything of them any more."""
        return self._show(self._overlay.drop(request_ids)) if self._has_expected else []

    def _show(self, queries: Iterable[Query[Mailbox]]) -> list[Delivery[Mailbox]]:
        news: list[Delivery[Mailbox]] = []
        for query in queries:
            before = query.shown
            state = self._overlay.over(query) if self._has_expected else query.result
            if state is None:  # still loading: what was expected of it is taken back
                query.shown = None
                continue
            if before is not None and before.same_state(state):
                continue
            query.shown = state
            if self._has_expected and self._is_same(before, state):
                continue
            for subscriber in query.subscribers:
                if not subscriber.needs_fresh:
                    news.append((subscriber, state))
        return news

    def _is_same(self, before: FunctionResult | None, state: FunctionResult) -> bool:
        """Whether one of them is expected, and equals the other in another spelling."""
        return (
            isinstance(before, Succeeded)
            and isinstance(state, Succeeded)
            and (isinstance(before, ExpectedValue) or isinstance(state, ExpectedValue))
            and self._same(before.value, state.value)
        )
