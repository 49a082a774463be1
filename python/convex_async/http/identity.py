"""Who a plain HTTP request is made as: the Authorization header, fetched and renewed in time."""

from __future__ import annotations

import asyncio
from typing import Final

from convex_async.auth.tokens import TokenFetcher, TokenSource
from convex_async.errors import AuthError
from convex_async.protocol.client.identity import ANONYMOUS, FORCED_TRIES, Credential

# Tries of a fetcher that raises, before a call that waits for it is told.
FETCH_TRIES: Final = 3


class HttpIdentity:
    """One user, or nobody, until `set_auth` makes another.

    Args:
        credential: what to send, or None for what the fetcher gives.
        fetch: gets tokens; None for a credential that stays.
    """

    def __init__(
        self, credential: Credential | None = ANONYMOUS, fetch: TokenFetcher | None = None
    ) -> None:
        self._credential = credential
        self._source = None if fetch is None else TokenSource(fetch, tries=FETCH_TRIES)
        self._forced = 0
        self._refused: AuthError | None = None
        self._turn = asyncio.Lock()

    @property
    def known(self) -> Credential | None:
        """What is sent, as far as it needs no fetching."""
        return self._credential if self._source is None else None

    async def credential(self) -> Credential:
        """What to send now, fetched anew if it is near its end.

        Raises:
            AuthError: it was refused for good, or the fetcher keeps raising, or can't work.
        """
        if self._refused is not None:
            raise _again(self._refused)
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
                raise _again(self._refused)
            if self._credential is not None and self._credential != refused:
                return  # another call has renewed it meanwhile
            if self._source is None or self._forced >= FORCED_TRIES:
                self._refused = error
                raise error
            self._forced += 1
            await self._renew(force=True)
            if self._credential in (refused, ANONYMOUS):
                self._refused = error
                raise error

    def accepted(self) -> None:
        """The deployment took the credential."""
        self._forced = 0

    @property
    def _is_ending(self) -> bool:
        return self._source is not None and self._source.is_ending

    async def _renew(self, *, force: bool) -> None:
        assert self._source is not None
        self._credential = await self._source.fetch(force=force)


def _again(error: AuthError) -> AuthError:
    """The same for another call: its traceback is its own."""
    again = AuthError(str(error))
    again.__cause__ = error.__cause__
    return again
