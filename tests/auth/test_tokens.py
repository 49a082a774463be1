"""Tokens: when they are renewed, and what a fetcher may do."""

from __future__ import annotations

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from convex_async import AuthError, ConvexClient
from convex_async.auth import tokens
from convex_async.auth.tokens import (
    REFRESH_LEEWAY,
    TokenSource,
    check_fetcher,
    refresh_delay,
    token_lifetime,
)
from convex_async.http import ConvexHttpClient
from convex_async.local import LocalDeployment
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.sync.base import asynchronous
from tests.integration.backend import make_functions


def jwt(name: str, lifetime: float = 3600.0, **claims: object) -> str:
    body = {"sub": name, "iat": 1000, "exp": 1000 + lifetime, **claims}
    return f"e30.{urlsafe_b64encode(msgspec.json.encode(body)).decode().rstrip('=')}.c2ln"


class Fetcher:
    """Gives what it is told to, one after another; exceptions are raised. The last stays."""

    def __init__(self, *gives: object) -> None:
        self.gives = list(gives)
        self.asked: list[bool] = []

    async def __call__(self, *, force_refresh: bool) -> str | None:
        self.asked.append(force_refresh)
        given: Any = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, BaseException):
            raise given
        answer: str | None = given
        return answer


class Told:
    """What a source pushes."""

    def __init__(self) -> None:
        self.provided: list[str | None] = []
        self.refused: list[AuthError] = []
        self._changed = asyncio.Event()

    def provide(self, credential: Credential) -> None:
        self.provided.append(credential.value)
        self._changed.set()

    def refuse(self, error: AuthError) -> None:
        self.refused.append(error)
        self._changed.set()

    async def next(self) -> None:
        await self._changed.wait()
        self._changed.clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "FETCH_BACKOFF_INITIAL", 0.001)


# Lifetimes


@pytest.mark.parametrize(
    ("lifetime", "delay"),
    [(3600, 3590), (30, 20), (20, 10), (19, 9.5), (3, 1.5), (2, None), (0, None), (-5, None)],
)
def test_a_token_is_renewed_ten_seconds_early_or_at_half_its_life(
    lifetime: float, delay: float | None
) -> None:
    assert refresh_delay(jwt("ada", lifetime)) == delay


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b", "a.b.c", jwt("ada", iat=None), jwt("ada", exp="soon"), "..", "a.W10.c"],
)
def test_a_token_that_tells_no_end_is_not_renewed(token: str) -> None:
    assert token_lifetime(token) is None
    assert refresh_delay(token) is None


# Pulling


async def test_a_fetched_token_ends_in_time() -> None:
    now = 50.0
    source = TokenSource(Fetcher(jwt("a", 60), jwt("b", 60)), clock=lambda: now)
    assert not source.is_ending
    assert await source.fetch(force=False) == Credential("User", jwt("a", 60))
    now += 49.9
    assert not source.is_ending
    now += 0.1
    assert source.is_ending
    assert await source.fetch(force=True) == Credential("User", jwt("b", 60))
    assert not source.is_ending


async def test_the_same_token_again_is_not_asked_for_again() -> None:
    now = 0.0
    source = TokenSource(Fetcher(jwt("a", 60)), clock=lambda: now)
    await source.fetch(force=False)
    now = 55
    await source.fetch(force=True)
    assert not source.is_ending
    now = 10**6
    assert not source.is_ending


async def test_none_for_a_cached_token_is_asked_once_more_by_force() -> None:
    """convex-js `authentication_manager.ts`: nobody runs anonymously over an empty cache."""
    fetcher = Fetcher(None, jwt("ada"))
    assert (await TokenSource(fetcher).fetch(force=False)).value == jwt("ada")
    assert fetcher.asked == [False, True]
    fetcher = Fetcher(None)
    assert await TokenSource(fetcher).fetch(force=False) == ANONYMOUS
    assert fetcher.asked == [False, True]
    fetcher = Fetcher(None)
    assert await TokenSource(fetcher).fetch(force=True) == ANONYMOUS
    assert fetcher.asked == [True]


async def test_an_outage_is_retried_and_told(caplog: pytest.LogCaptureFixture) -> None:
    fetcher = Fetcher(OSError("no route to \x1b[31mhost"), ConnectionError(), jwt("ada"))
    source = TokenSource(fetcher, tries=3)
    assert (await source.fetch(force=False)).value == jwt("ada")
    assert fetcher.asked == [False, True, True]
    assert r"OSError: no route to \x1b[31mhost" in caplog.text
    fetcher = Fetcher(OSError("down"))
    with pytest.raises(AuthError, match=r"raised OSError: down, 3 times"):
        await TokenSource(fetcher, tries=3).fetch(force=False)
    assert len(fetcher.asked) == 3


async def test_a_fetcher_that_hangs_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "FETCH_TIMEOUT", 0.01)
    hung = 0

    async def hang(*, force_refresh: bool) -> str | None:
        nonlocal hung
        hung += 1
        await asyncio.Event().wait()
        return None

    with pytest.raises(AuthError, match="TimeoutError"):
        await TokenSource(hang, tries=2).fetch(force=False)
    assert hung == 2


async def test_a_cancelled_fetch_ends() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(*, force_refresh: bool) -> str | None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    fetching = asyncio.ensure_future(TokenSource(hang).fetch(force=False))
    await began.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert ended.is_set()


# Pushing


async def test_a_token_is_pushed_and_renewed_when_it_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "refresh_delay", lambda token: 0.01)
    fetcher, told = Fetcher(jwt("a"), jwt("b"), jwt("c")), Told()
    task = asyncio.ensure_future(TokenSource(fetcher).run(told.provide, told.refuse))
    while len(told.provided) < 3:
        await told.next()
    assert told.provided[:3] == [jwt("a"), jwt("b"), jwt("c")]
    assert fetcher.asked[:3] == [False, True, True]
    task.cancel()


async def test_a_fetcher_that_says_nobody_is_nobody_at_first() -> None:
    told = Told()
    task = asyncio.ensure_future(TokenSource(Fetcher(None)).run(told.provide, told.refuse))
    await told.next()
    assert (told.provided, told.refused) == ([None], [])
    task.cancel()


async def test_a_fetcher_that_says_nobody_after_a_refusal_is_refused() -> None:
    fetcher, told = Fetcher(jwt("a"), None), Told()
    source = TokenSource(fetcher)
    task = asyncio.ensure_future(source.run(told.provide, told.refuse))
    await told.next()
    source.renew(refused="the token has expired")
    await told.next()
    assert told.provided == [jwt("a")]
    assert [str(error) for error in told.refused] == ["the token has expired"]
    assert fetcher.asked == [False, True]
    task.cancel()


async def test_a_renewal_that_nobody_refused_may_end_in_nobody() -> None:
    told = Told()
    source = TokenSource(Fetcher(jwt("a"), None))
    task = asyncio.ensure_future(source.run(told.provide, told.refuse))
    await told.next()
    source.renew()
    await told.next()
    assert (told.provided, told.refused) == ([jwt("a"), None], [])
    task.cancel()


async def test_pushing_ends_when_it_is_cancelled_and_when_the_fetcher_can_not_work() -> None:
    told = Told()
    task = asyncio.ensure_future(TokenSource(Fetcher(jwt("a"))).run(told.provide, told.refuse))
    await told.next()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await TokenSource(Fetcher("")).run(told.provide, told.refuse)
    assert "does not work" in str(told.refused[0])


# Fetchers that can't work


async def no_keyword() -> str | None:
    raise AssertionError


async def renamed(force: bool) -> str | None:
    raise AssertionError


async def one_more(other: str, *, force_refresh: bool) -> str | None:
    raise AssertionError


@pytest.mark.parametrize("fetch", [no_keyword, renamed, one_more, 5, b"a.b.c", object()])
def test_what_can_not_be_called_is_told_at_once(fetch: Any) -> None:
    for client in (ConvexClient("http://127.0.0.1:9"), ConvexHttpClient("http://127.0.0.1:9")):
        with pytest.raises(TypeError, match=r"JWT|force_refresh"):
            client.set_auth(fetch)


def test_a_blocking_fetcher_is_checked_too() -> None:
    asynchronous(plain)
    with pytest.raises(TypeError, match="force_refresh"):
        asynchronous(lambda force: None)  # type: ignore[arg-type]


def test_what_can_be_called_passes() -> None:
    async def more(*, force_refresh: bool, other: int = 0) -> str | None: ...
    async def anything(**options: object) -> str | None: ...

    for fetch in (
        more,
        anything,
        partial(one_more, "x"),
        Fetcher(None),
        lambda force_refresh: more,
    ):
        check_fetcher(fetch)


def plain(*, force_refresh: bool) -> str:
    return jwt("ada")


async def mistaken(*, force_refresh: bool) -> str:
    return undefined  # type: ignore[name-defined, no-any-return]  # noqa: F821


async def needing(*, force_refresh: bool) -> str:
    return await one_more(force_refresh=force_refresh)  # type: ignore[call-arg, return-value]


def giving(value: object) -> Callable[..., Awaitable[Any]]:
    async def fetch(*, force_refresh: bool) -> Any:
        return value

    return fetch


BROKEN = {
    "a plain function": (plain, "async def", TypeError),
    "a wrong name": (mistaken, "NameError: name 'undefined'", NameError),
    "a wrong call": (needing, "TypeError: .*other", TypeError),
    "bytes": (giving(b"a.b.c"), "a string, not bytes", TypeError),
    "a number": (giving(5), "a string, not int", TypeError),
    "a header": (giving(f"Bearer {jwt('ada')}"), "leave out 'Bearer '", ValueError),
    "nothing": (giving(""), "None where nobody is logged in", ValueError),
    "a line": (giving("a.b.c\n"), "without blanks", ValueError),
}


@pytest.mark.parametrize(("fetch", "told", "cause"), BROKEN.values(), ids=BROKEN)
async def test_a_fetcher_that_can_not_work_ends_as_an_auth_error(
    fetch: Any, told: str, cause: type[Exception]
) -> None:
    with pytest.raises(AuthError, match=f"does not work.*{told}") as raised:
        await TokenSource(fetch).fetch(force=False)
    assert isinstance(raised.value.__cause__, cause)


@pytest.mark.parametrize(("fetch", "told", "cause"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_no_call_waits_for_a_fetcher_that_can_not_work(
    make: Callable[..., Any], fetch: Any, told: str, cause: type[Exception]
) -> None:
    async with (
        LocalDeployment(make_functions()) as deployment,
        make(deployment.url, auth=fetch, timeout=5) as client,
    ):
        for _ in range(2):
            with pytest.raises(AuthError, match=told):
                await client.query("notes:list")
        client.set_auth(deployment.issue_token("ada"))
        assert await client.query("users:me") == "ada"


@pytest.mark.parametrize("make", [ConvexClient, ConvexHttpClient])
async def test_a_cache_that_is_empty_makes_nobody_anonymous(make: Callable[..., Any]) -> None:
    async with LocalDeployment(make_functions()) as deployment:
        fetcher = Fetcher(None, deployment.issue_token("ada"))
        async with make(deployment.url, auth=fetcher) as client:
            assert await client.query("users:me") == "ada"
    assert fetcher.asked == [False, True]


@pytest.mark.trap(14)
@pytest.mark.parametrize("cached", [True, False], ids=["renewing", "first"])
async def test_a_fetcher_that_raises_is_asked_again(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    """An exception of the fetcher is no token yet; the client does not stay without one."""
    monkeypatch.setattr("convex_async.auth.tokens.FETCH_BACKOFF_INITIAL", 0.01)
    answers = ["a.bad.token", None, "ada"] if cached else [None, "ada"]

    async def fetch(*, force_refresh: bool) -> str | None:
        answer = answers.pop(0)
        if answer is None:
            raise OSError("the provider is down")
        return deployment.issue_token(answer) if answer == "ada" else answer

    async with ConvexClient(deployment.url, auth=fetch, timeout=10, close_timeout=0) as client:
        assert await client.query("users:me") == "ada"
    assert answers == []


@pytest.mark.trap(19)
@pytest.mark.parametrize("error", [-(10**6), 0, 10**6], ids=["fast", "right", "slow"])
def test_a_token_is_renewed_ahead_by_its_own_lifetime(error: int) -> None:
    """The deployment says nothing when a token ends; and no clock of ours may be right."""
    issued = int(time.time()) + error
    claims = msgspec.json.encode({"sub": "ada", "iat": issued, "exp": issued + 3600})
    token = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.x"
    assert refresh_delay(token) == 3600 - REFRESH_LEEWAY
