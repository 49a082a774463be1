"""Tokens: how long they live, and fetching them in time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Protocol, TypeAlias

from convex_async.auth.credentials import claims_of, user_credential
from convex_async.protocol.client.identity import ANONYMOUS, Credential

logger = logging.getLogger("convex_async.auth")


# Seconds before its end at which a token is renewed (convex-js: refreshTokenLeewaySeconds).
REFRESH_LEEWAY = 10.0


# Seconds that a fetcher may take, and between tries if it raises.
FETCH_TIMEOUT = 30.0


FETCH_BACKOFF_INITIAL = 1.0


FETCH_BACKOFF_CAP = 30.0


class TokenFetcher(Protocol):
    """Gets the user's token: `async def fetch(*, force_refresh: bool) -> str | None`.

    Called with `force_refresh=True` when a cached token will not do. None means that nobody is
    logged in. If it raises, it is called again with backoff; calls wait meanwhile.
    """

    async def __call__(self, *, force_refresh: bool) -> str | None: ...


Auth: TypeAlias = str | TokenFetcher | None


def token_lifetime(token: str) -> tuple[float, float] | None:
    """`iat` and `exp` of a JWT, in seconds by its issuer's clock; None if it has none."""
    claims = claims_of(token)
    try:
        return float(claims["iat"]), float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return None


def refresh_delay(token: str) -> float | None:
    """Seconds after its making at which a token is to be renewed; None if it tells no end.

    From `exp - iat`, which no wrong clock of ours can spoil. A short-lived token is renewed at
    half its life, so that renewing never becomes a busy loop.
    """
    lifetime = token_lifetime(token)
    if lifetime is None:
        return None
    seconds = lifetime[1] - lifetime[0]
    if seconds <= 2:  # convex-js schedules nothing for these either
        return None
    return max(seconds - REFRESH_LEEWAY, seconds / 2)


class TokenSource:
    """Keeps one user's token fresh: fetches it, renews it ahead of its end, one fetch at a time.

    Args:
        fetch: the user's fetcher.
        provide: takes each credential.
        refuse: is told that no token is to be had, after one was refused.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        fetch: TokenFetcher,
        *,
        provide: Callable[[Credential], None],
        refuse: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._provide = provide
        self._refuse = refuse
        self._clock = clock
        self._token: str | None = None
        self._ends_at: float | None = None
        self._refused: str | None = None
        self._wanted = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """Whether the token is within its last seconds, or past them."""
        return self._ends_at is not None and self._clock() >= self._ends_at

    def renew(self, *, refused: str | None = None) -> None:
        """Fetch a token anew, now; `refused` is why the last one would not do, if it was refused.

        A fetch that is under way already is enough.
        """
        self._refused = refused
        self._wanted.set()

    async def run(self) -> None:
        """Fetch and renew until cancelled."""
        force = False
        while True:
            token = await self._fetch_patiently(force=force)
            delay = self._take(token)
            force = True
            try:
                async with asyncio.timeout(delay):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    def _take(self, token: str | None) -> float | None:
        """Hand the token on; seconds until the next is due, None if only `renew` asks for it."""
        refused, self._refused = self._refused, None
        self._wanted.clear()
        self._ends_at = None
        if token is None:
            if refused is None:
                self._provide(ANONYMOUS)  # nobody is logged in, says the fetcher
            else:
                self._refuse(refused)
            self._token = None
            return None
        unchanged, self._token = token == self._token, token
        self._provide(user_credential(token))
        delay = refresh_delay(token)
        if delay is not None:
            self._ends_at = self._clock() + delay
        # A fetcher that gives the same token again would do so at once the next time, too.
        return None if unchanged else delay

    async def _fetch_patiently(self, *, force: bool) -> str | None:
        delay = FETCH_BACKOFF_INITIAL
        while True:
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    token = await self._fetch(force_refresh=force)
                if token is not None:
                    user_credential(token)
                return token
            except Exception as error:
                # Its text may hold the token: only the class is told.
                logger.warning(
                    "the token fetcher raised %s; trying again in %.0f s",
                    type(error).__name__,
                    delay,
                )
            await asyncio.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 2, FETCH_BACKOFF_CAP)
            force = True
