"""Tokens: how long they live, and fetching them in time."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast

from convex_async.auth.credentials import claims_of, user_credential
from convex_async.errors import AuthError, LocalProtocolError
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.shown import escaped, without_secrets

logger: logging.Logger = logging.getLogger("convex_async.auth")


# Seconds before its end at which a token is renewed (convex-js: refreshTokenLeewaySeconds).
REFRESH_LEEWAY = 10.0


# Seconds that a fetcher may take, and between tries if it raises.
FETCH_TIMEOUT = 30.0


FETCH_BACKOFF_INITIAL = 1.0


FETCH_BACKOFF_CAP = 30.0


# What a fetcher raises that is written wrongly: it will do so the next time too.
_MISTAKES = (TypeError, NameError, ImportError, NotImplementedError, LocalProtocolError)


class TokenFetcher(Protocol):
    """Gets the user's token: `async def fetch(*, force_refresh: bool) -> str | None`.

    Called with `force_refresh=True` when a cached token will not do. None means that nobody is
    logged in; one that was not asked for by force is asked for so once more. If it raises, it is
    called again with backoff; calls wait meanwhile.
    """

    async def __call__(self, *, force_refresh: bool) -> str | None: ...


Auth: TypeAlias = str | TokenFetcher | None


def check_fetcher(fetch: object) -> None:
    """Raise `TypeError` if a fetcher can't be called as it will be."""
    if not callable(fetch):
        raise TypeError("auth is a JWT, an async fetcher of JWTs, or None")
    try:
        signature = inspect.signature(fetch)
    except (TypeError, ValueError):
        return  # it does not tell
    try:
        signature.bind(force_refresh=True)
    except TypeError as error:
        raise TypeError(
            f"a token fetcher is `async def fetch(*, force_refresh: bool) -> str | None`, "
            f"but this one takes {signature}: {error}"
        ) from None


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
    """Gets one user's tokens, and knows when the next is due.

    Who pulls calls `fetch` whenever `is_ending`; `run` pushes each token as it comes.

    Args:
        fetch: the user's fetcher.
        tries: of a fetcher that raises; None to go on for ever.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        fetch: TokenFetcher,
        *,
        tries: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._fetch = fetch
        self._tries = tries
        self._clock = clock or (lambda: time.monotonic())
        self._token: str | None = None
        self._due_at: float | None = None
        self._refused: str | None = None
        self._wanted = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """Whether the token is within its last seconds, or past them."""
        return self._due_at is not None and self._clock() >= self._due_at

    async def fetch(self, *, force: bool) -> Credential:
        """The user's credential, from the fetcher; anonymous if it says that nobody is logged in.

        Args:
            force: a token that the fetcher has in store will not do.

        Raises:
            AuthError: the fetcher can't work, or has raised so many times.
        """
        token = await self._patiently(force=force)
        if token is None and not force:
            # A cache may have lost a token that can be had again: nobody runs anonymously over
            # that (convex-js src/browser/sync/authentication_manager.ts, "initialRefetch").
            token = await self._patiently(force=True)
        unchanged, self._token, self._due_at = token == self._token, token, None
        if token is None:
            return ANONYMOUS
        delay = refresh_delay(token)
        # A fetcher that gives the same token again would do so at once the next time, too.
        if delay is not None and not unchanged:
            self._due_at = self._clock() + delay
        return user_credential(token)

    def renew(self, *, refused: str | None = None) -> None:
        """Let `run` fetch a token anew, now; `refused` is why the last one would not do, if so.

        A fetch that is under way already is enough.
        """
        self._refused = refused
        self._wanted.set()

    async def run(
        self, provide: Callable[[Credential], None], refuse: Callable[[AuthError], None]
    ) -> None:
        """Fetch and renew, until cancelled or until the fetcher turns out not to work.

        Args:
            provide: takes each credential.
            refuse: is told that no token is to be had.
        """
        force = False
        while True:
            try:
                credential = await self.fetch(force=force)
            except AuthError as error:
                refuse(error)
                return
            refused, self._refused = self._refused, None
            self._wanted.clear()
            if credential == ANONYMOUS and refused is not None:
                refuse(AuthError(refused))
            else:
                provide(credential)
            delay = None if self._due_at is None else self._due_at - self._clock()
            force = True
            try:
                async with asyncio.timeout(delay):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _patiently(self, *, force: bool) -> str | None:
        delay, tries = FETCH_BACKOFF_INITIAL, 0
        while True:
            tries += 1
            began = time.monotonic()
            logger.debug("fetching a token%s", ", a new one" if force else "")
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    answer: Any = self._fetch(force_refresh=force)
                    token = await cast("Any", _awaitable(answer))
                logger.debug("the token fetcher took %.3f s", time.monotonic() - began)
                break
            except _MISTAKES as error:
                told = _told(error, self._token)
                raise AuthError(f"the token fetcher does not work: {told}") from _cause(
                    error, self._token
                )
            except Exception as error:
                told = _told(error, self._token)
            if tries == self._tries:
                raise AuthError(f"the token fetcher raised {told}, {tries} times")
            logger.warning("the token fetcher raised %s; trying again in %.0f s", told, delay)
            await asyncio.sleep(delay * (0.5 + random.random()))
            delay = min(delay * 2, FETCH_BACKOFF_CAP)
            force = True
        return _checked(token)


def _awaitable(answer: object) -> object:
    if inspect.isawaitable(answer):
        return answer
    raise TypeError(
        f"it gave {type(answer).__name__} at once: write it as `async def` "
        "(the clients of convex_async.sync take plain functions too)"
    )


def _checked(token: object) -> str | None:
    """What a fetcher gave, if it is a token or None."""
    if token is None:
        return None
    try:
        return user_credential(cast("str", token)).value
    except (TypeError, ValueError) as error:
        cause = error
    if isinstance(token, str) and token[:7].lower() == "bearer ":
        cause = ValueError("it gave a header's value: leave out 'Bearer ', give the JWT alone")
    elif token == "":
        cause = ValueError("it gave an empty string: give None where nobody is logged in")
    raise AuthError(f"the token fetcher does not work: {cause}") from cause


def _cause(error: Exception, token: str | None) -> Exception | None:
    """The error, to be shown with its traceback, unless its text holds a token."""
    return error if without_secrets(str(error), [token]) == str(error) else None


def _told(error: Exception, token: str | None) -> str:
    """The error in one line, without the token that its text may hold."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"TimeoutError after {FETCH_TIMEOUT:.0f} s"
    text = escaped(without_secrets(str(error), [token]))[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
