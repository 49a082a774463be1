"""All subscribed queries of a blocking client, as they were together."""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Mapping
from typing import Any, Self

from convex_async import codec
from convex_async.client.convex_client import ConvexClient
from convex_async.client.subscription import Subscription
from convex_async.errors import ConvexClientError
from convex_async.function_path import FunctionReference
from convex_async.sync.loop import LoopThread


class QuerySetWatcher:
    """Collects the states of a changing set of subscriptions; lives in the loop's thread."""

    def __init__(self) -> None:
        self._latest: dict[int, Any] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def add(self, id: int, subscription: Subscription[Any]) -> None:
        """Follow a subscription of our own to the same query, which costs no second query."""
        self._latest[id] = None
        self._tasks[id] = asyncio.create_task(self._follow(id, subscription))

    def remove(self, id: int) -> None:
        """The subscription is gone."""
        if (task := self._tasks.pop(id, None)) is not None:
            task.cancel()
            del self._latest[id]

    def close(self) -> None:
        """Follow none any more."""
        for id in list(self._tasks):
            self.remove(id)

    async def next(self) -> dict[int, Any]:
        """The states together, once any is newer than the last time."""
        await self._changed.wait()
        # A transition's states reach all tasks in one turn of the loop: let each note its own.
        await asyncio.sleep(0)
        self._changed.clear()
        return dict(self._latest)

    async def _follow(self, id: int, subscription: Subscription[Any]) -> None:
        async with subscription:
            try:
                async for result in subscription.results():
                    self._note(id, result.value if result.error is None else result.error)
            except ConvexClientError as error:
                self._note(id, error)  # the client is closed, or its token refused

    def _note(self, id: int, state: Any) -> None:
        self._latest[id] = state
        self._changed.set()


class QuerySet:
    """The subscriptions of one blocking client, and who watches them; in the loop's thread."""

    def __init__(self, client: ConvexClient) -> None:
        self._client = client
        self._ids = itertools.count()
        self._members: dict[int, tuple[str | FunctionReference, Mapping[str, Any]]] = {}
        self._watchers: weakref.WeakSet[QuerySetWatcher] = weakref.WeakSet()

    def subscribe(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None, type: Any
    ) -> tuple[int, Subscription[Any]]:
        """A new member of the set, with its id."""
        subscription = self._client.subscribe(path, args, type=type)
        id = next(self._ids)
        # A copy that later changes to the caller's objects do not reach.
        self._members[id] = path, codec.decode(codec.encode_arguments(args))
        for watcher in self._watchers:
            watcher.add(id, self._client.subscribe(*self._members[id]))
        return id, subscription

    def leave(self, id: int) -> None:
        """A member is gone. Idempotent."""
        self._members.pop(id, None)
        for watcher in self._watchers:
            watcher.remove(id)

    def watch(self) -> QuerySetWatcher:
        """Begin to watch all members, present and future."""
        watcher = QuerySetWatcher()
        for id, member in self._members.items():
            watcher.add(id, self._client.subscribe(*member))
        self._watchers.add(watcher)
        return watcher


class QuerySetSubscription:
    """A consistent view of all queries that are subscribed; made by `ConvexClient.watch_all`.

    Each item maps a subscription's `id` to its latest value, to the `FunctionError` it failed
    with, or to None while it loads. Subscriptions made or left later are included or left out.
    """

    def __init__(self, thread: LoopThread, watcher: QuerySetWatcher) -> None:
        self._thread = thread
        self._watcher = watcher
        # The watcher's tasks keep it alive; they end when nobody iterates any more.
        weakref.finalize(self, thread.post, watcher.close).atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[int, Any]:
        return self._thread.run(self._watcher.next)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[int, Any]:
        """The next view for the caller's own event loop, which is not blocked."""
        return await asyncio.wrap_future(self._thread.submit(self._watcher.next))
