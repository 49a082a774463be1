"""One client a user, for servers that act as many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from typing import Any, Self

from convex_async.auth.tokens import Auth
from convex_async.client.convex_client import ConvexClient
from convex_async.errors import ClientClosedError, RequestTimeoutError


class _Entry:
    """A user's client.

    Attributes:
        users: those who have it at the moment.
        token: the JWT that it was given, if it was given one.
        timer: closes it, once it is idle.
    """

    __slots__ = ("client", "timer", "token", "users")

    def __init__(self, client: ConvexClient) -> None:
        self.client = client
        self.users = 0
        self.token: str | None = None
        self.timer: asyncio.TimerHandle | None = None


class ClientPool:
    """Clients of one deployment, one socket for each user, shared by that user's requests.

    `async with pool.client(user_id, auth=fetch) as client:` lends the user's client, which is made
    at first use and closed when nobody had it for a while. Use it as `async with ClientPool(url)`,
    in one event loop.

    Args:
        url: the deployment URL; None reads `CONVEX_URL` from the environment.
        max_clients: open at a time. At this limit the one that is idle for the longest is closed
            for a new user; if none is idle, callers wait, the first one first.
        idle_timeout: seconds after which a client that nobody has is closed.
        options: further ones of `ConvexClient`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        max_clients: int = 1000,
        idle_timeout: float = 60.0,
        **options: Any,
    ) -> None:
        if max_clients < 1 or idle_timeout < 0:
            raise ValueError("max_clients is at least 1, idle_timeout is seconds from 0 on")
        self._url = url
        self._max_clients = max_clients
        self._idle_timeout = idle_timeout
        self._options = options
        self._entries: dict[Hashable, _Entry] = {}
        self._idle: dict[Hashable, _Entry] = {}  # the one that is idle for the longest first
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ClientPool of {len(self)} clients, {len(self._idle)} idle>"

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def idle(self) -> int:
        """Clients that nobody has at the moment."""
        return len(self._idle)

    @asynccontextmanager
    async def client(
        self, user_id: Hashable, *, auth: Auth = None, timeout: float | None = None
    ) -> AsyncGenerator[ConvexClient, None]:
        """The user's client, for the time of the block; do not close it.

        Args:
            user_id: whoever gives the same one shares a client, and acts as the same user.
            auth: a JWT or a fetcher, as `ConvexClient` takes them. A fetcher stays for the
                client's life, unless its user was refused; a JWT other than the last replaces it.
            timeout: seconds to wait while all clients are in use; None for no limit.

        Raises:
            RequestTimeoutError: all clients were in use for that long.
            ClientClosedError: the pool is closed.
        """
        entry = await self._take(user_id, auth, timeout)
        try:
            yield entry.client
        finally:
            self._give_back(user_id, entry)

    async def close(self) -> None:
        """Close all clients, also those in use. Idempotent."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(ClientClosedError("the pool is closed"))
        for user_id in list(self._entries):
            self._drop(user_id)
        if self._closing:
            await asyncio.wait(self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # How

    async def _take(self, user_id: Hashable, auth: Auth, timeout: float | None) -> _Entry:
        try:
            async with asyncio.timeout(timeout):
                while (entry := self._find(user_id, auth)) is None:
                    await self._until_one_is_idle()
        except TimeoutError:
            raise RequestTimeoutError(
                f"all {self._max_clients} clients of the pool were in use for {timeout} s"
            ) from None
        return entry

    def _find(self, user_id: Hashable, auth: Auth) -> _Entry | None:
        """The user's client, an open one; None while there is no room for it."""
        if self._closed:
            raise ClientClosedError("the pool is closed")
        entry = self._entries.get(user_id)
        if entry is not None and entry.client.state.is_final:
            self._drop(user_id)  # by somebody's close(), or as the deployment said so
            entry = None
        if entry is None:
            if len(self._entries) >= self._max_clients:
                if not self._idle:
                    return None
                self._drop(next(iter(self._idle)))
            entry = _Entry(ConvexClient(self._url, auth=auth, **self._options))
            self._entries[user_id] = entry
            self._wake_all()  # others may wait for the same user
        elif auth is not None and (
            entry.client.state.auth == "refused" or (isinstance(auth, str) and auth != entry.token)
        ):
            entry.client.set_auth(auth)
        if isinstance(auth, str):
            entry.token = auth
        self._idle.pop(user_id, None)
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        entry.users += 1
        return entry

    def _give_back(self, user_id: Hashable, entry: _Entry) -> None:
        entry.users -= 1
        if entry.users or self._entries.get(user_id) is not entry:
            return
        self._idle[user_id] = entry
        entry.timer = asyncio.get_running_loop().call_later(self._idle_timeout, self._drop, user_id)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _until_one_is_idle(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._wake_all()  # it was its turn: another may have it
            raise

    def _wake_all(self) -> None:
        """Let all who wait look again; who finds no room waits behind those who found none."""
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _drop(self, user_id: Hashable) -> None:
        entry = self._entries.pop(user_id)
        self._idle.pop(user_id, None)
        if entry.timer is not None:
            entry.timer.cancel()
        task = asyncio.get_running_loop().create_task(entry.client.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
