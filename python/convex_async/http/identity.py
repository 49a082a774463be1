"""Who a plain HTTP request is made as: the Authorization header, fetched and renewed in time."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Final

from convex_async.auth.credentials import user_credential
from convex_async.auth.tokens import (
    FETCH_BACKOFF_INITIAL,
    FETCH_TIMEOUT,
    TokenFetcher,
    refresh_delay,
)
from convex_async.errors import AuthError
from convex_async.protocol.client.identity import ANONYMOUS, FORCED_TRIES, Credential

logger = logging.getLogger("convex_async.auth")

# Tries of a fetcher that raises, before a call that waits for it is told.
FETCH_TRIES: Final = 3


class HttpIdentity:
    """One user, or nobody, until `set_auth` makes another.

    Args:
        credential: what to send, if it is known already.
        fetch: gets tokens; None for a credential that stays.
    """

    def __init__(
        self, credential: Credential = ANONYMOUS, fetch: TokenFetcher | None = None
    ) -> None:
        self._credential = None if fetch is not None else credential
        self._fetch = fetch
        self._renew_at: float | None = None
        self._forced = 0
        self._refused: str | None = None
        self._turn = asyncio.Lock()

    async def credential(self) -> Credential:
        """What to send now, fetched anew if it is near its end.

        Raises:
            AuthError: it was refused for good, or the fetcher keeps raising.
        """
        if self._refused is not None:
            raise AuthError(self._refused)
        if self._credential is None or self._is_ending:
            async with self._turn:
                if self._credential is None or self._is_ending:
                    await self._renew(force=self._credential is not None)
        assert self._credential is not None
        return self._credential

    async def renew_refused(self, refused: Credential, error: AuthError) -> None:
        """The deployment refused a credential: get another, or give up for good.

        Raises:
            AuthError: none is to be had.
        """
        async with self._turn:
            if self._refused is not None:
                raise AuthError(self._refused)
            if self._credential is not None and self._credential != refused:
                return  # another call has renewed it meanwhile
            if self._fetch is None or self._forced >= FORCED_TRIES:
                self._refused = str(error)
                raise error
            self._forced += 1
            await self._renew(force=True)
            if self._credential in (refused, ANONYMOUS):
                self._refused = str(error)
                raise error

    def accepted(self) -> None:
        """The deployment took the credential."""
        self._forced = 0

    @property
    def _is_ending(self) -> bool:
        return self._renew_at is not None and time.monotonic() >= self._renew_at

    async def _renew(self, *, force: bool) -> None:
        assert self._fetch is not None
        token = await _fetch_patiently(self._fetch, force=force)
        if token is None:
            self._credential, self._renew_at = ANONYMOUS, None  # nobody is logged in, it says
            return
        credential = user_credential(token)
        delay = refresh_delay(token)
        # A fetcher that gives the same token again would do so at once the next time, too.
        unchanged = credential == self._credential
        self._renew_at = None if delay is None or unchanged else time.monotonic() + delay
        self._credential = credential


async def _fetch_patiently(fetch: TokenFetcher, *, force: bool) -> str | None:
    delay, kind = FETCH_BACKOFF_INITIAL, ""
    for tries in range(1, FETCH_TRIES + 1):
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                token = await fetch(force_refresh=force)
            if token is not None:
                user_credential(token)
            return token
        except Exception as error:
            # Its text may hold the token: only the class is told.
            kind = type(error).__name__
        logger.warning("the token fetcher raised %s, try %d of %d", kind, tries, FETCH_TRIES)
        if tries < FETCH_TRIES:
            await asyncio.sleep(delay * (0.5 + random.random()))
            delay *= 2
        force = True
    raise AuthError(f"the token fetcher raised {kind}, {FETCH_TRIES} times")
