"""All subscribed queries of a blocking client, as they were together."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from typing import Any, Self

from convex_async.client.convex_client import ConvexClient
from convex_async.client.subscription import Subscription
from convex_async.function_path import FunctionPath, FunctionReference
from convex_async.reactive.subscribe_all import state_of
from convex_async.reactive.watcher import QuerySetWatcher
from convex_async.sync.loop import LoopThread
from convex_async.values import Arguments


class QuerySet:
    """The subscriptions of one blocking client, and who watches them; in the loop's thread."""

    def __init__(self, client: ConvexClient) -> None:
        self._client = client
        self._ids = itertools.count()
        self._members: dict[int, tuple[FunctionPath, bytes]] = {}
        self._watchers: weakref.WeakSet[QuerySetWatcher[int]] = weakref.WeakSet()

    def subscribe(
        self,
        path: str | FunctionReference,
        args: Arguments | None,
        type: Any,
    ) -> tuple[int, Subscription[Any]]:
        """A new member of the set, with its id."""
        function, wire, _ = self._client._reading.call("query", path, args, type)
        subscription = self._client.subscribe(path, args, type=type)
        id = next(self._ids)
        self._members[id] = function, wire
        for watcher in self._watchers:
            watcher.add(id, *self._members[id])
        return id, subscription

    def leave(self, id: int) -> None:
        """A member is gone. Idempotent."""
        self._members.pop(id, None)
        for watcher in self._watchers:
            watcher.remove(id)

    def watch(self) -> QuerySetWatcher[int]:
        """Begin to watch all members, present and future."""
        watcher = self._client._watcher()
        for id, member in self._members.items():
            watcher.add(id, *member)
        self._watchers.add(watcher)
        return watcher


class QuerySetSubscription:
    """A consistent view of all queries that are subscribed; made by `ConvexClient.watch_all`.

    Each item maps a subscription's `id` to its latest value, to the `FunctionError` it failed
    with, or to None while it loads. Subscriptions made or left later are included or left out.
    """

    def __init__(self, thread: LoopThread, watcher: QuerySetWatcher[int]) -> None:
        self._thread = thread
        self._watcher = watcher
        # The client's core keeps it alive as a subscriber; it leaves when nobody iterates any more.
        weakref.finalize(self, thread.post, watcher.close).atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[int, Any]:
        return self._thread.run(self._next)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[int, Any]:
        """The next view for the caller's own event loop, which is not blocked."""
        return await asyncio.wrap_future(self._thread.submit(self._next))

    async def _next(self) -> dict[int, Any]:
        await self._watcher.changed()
        return {id: state_of(member) for id, member in self._watcher.members.items()}
