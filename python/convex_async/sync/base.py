"""What both blocking clients are: made anywhere, used by any thread, closed at the end."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeAlias

from convex_async.auth.tokens import Auth, check_fetcher
from convex_async.sync.calls import BlockingCalls, Client


class BlockingTokenFetcher(Protocol):
    """Gets the user's token: `def fetch(*, force_refresh: bool) -> str | None`, in a thread."""

    def __call__(self, *, force_refresh: bool) -> str | None: ...


BlockingAuth: TypeAlias = Auth | BlockingTokenFetcher


class BlockingClient(BlockingCalls[Client]):
    """The life and the identity of either client.

    May be used from any number of threads at once. Nothing holds the GIL, or any event loop but
    its own, while it waits. Ctrl-C ends a wait at once: what was not sent will not run.

    It belongs to the process that first uses it: made before a fork, it can be used after it. It
    is closed by `close`, by `with`, when it is garbage-collected, and at the program's end.
    """

    def __init__(self, inner: Client) -> None:
        super().__init__(inner)
        # Not at exit: the thread closes what is open then, and before it stops.
        weakref.finalize(self, self._home.release, wait=False).atexit = False

    def __repr__(self) -> str:
        return f"<blocking {self._inner!r}>"

    def __reduce__(self) -> Any:
        raise TypeError("a client can't be pickled or copied: make one where it is used")

    def close(self) -> None:
        """Close the client; calls that wait in other threads raise `ClientClosedError`."""
        self._home.release(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The deployment's origin."""
        return self._inner.url

    @property
    def site_url(self) -> str:
        """The origin of HTTP actions."""
        return self._inner.site_url

    def _set_auth(self, token: BlockingAuth) -> None:
        auth = asynchronous(token)
        self._home.configure(lambda: self._inner.set_auth(auth))

    def clear_auth(self) -> None:
        """Become nobody: log out."""
        self._home.configure(self._inner.clear_auth)

    def set_admin_auth(self, admin_key: str, acting_as: Mapping[str, Any] | None = None) -> None:
        """Become an admin of the deployment, who may call internal functions."""
        self._home.configure(lambda: self._inner.set_admin_auth(admin_key, acting_as))

    def set_debug(self, value: bool) -> None:
        """Show what functions log, by the logger `convex_async.functions`."""
        self._home.configure(lambda: self._inner.set_debug(value))


def asynchronous(auth: BlockingAuth) -> Auth:
    """The same, its fetcher being a coroutine function that keeps the loop free."""
    if not callable(auth) or inspect.iscoroutinefunction(auth):
        return auth
    check_fetcher(auth)
    fetch: Any = auth

    async def fetch_in_thread(*, force_refresh: bool) -> str | None:
        token: str | None = await asyncio.to_thread(fetch, force_refresh=force_refresh)
        return token

    return fetch_in_thread
