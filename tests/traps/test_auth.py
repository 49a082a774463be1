"""Tokens: fetched, refused, renewed, given up."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode

import msgspec
import pytest

from convex_async import ConvexClient
from convex_async.auth.tokens import REFRESH_LEEWAY, refresh_delay
from convex_async.local import LocalDeployment
from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import CloseConnection, IdentityRefused, TokenNeeded
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.protocol.messages import Authenticate, AuthError
from tests.protocol.client.test_client_protocol import ALICE, BOB, SEND, Session, kinds


@pytest.mark.parametrize("cached", [True, False], ids=["renewing", "first"])
async def test_trap_14_a_fetcher_that_raises_is_asked_again(
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


def test_trap_15_logging_out_while_nothing_may_be_sent_is_told_afterwards(
    session: Session,
) -> None:
    """The deployment keeps a user until it is told of another, or of none."""
    session.core.set_identity(ALICE, now=session.now, refreshable=True)
    session.connect()
    session.receive(session.server.transition(ts=5, query_set=1, identity=1))
    session.core.hold_identity()
    assert session.core.messages_to_send() == []
    session.core.set_identity(ANONYMOUS, now=session.now)
    assert session.core.messages_to_send() == [Authenticate(1, "None")]


def test_trap_16_nothing_runs_before_the_token_is_there(session: Session) -> None:
    """While a token is fetched nothing is sent, then Authenticate is first: no anonymous flash."""
    session.core.set_identity(None, now=session.now, refreshable=True)
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect"]
    session.core.provide_token(ALICE, now=session.now)
    assert kinds(session.core.messages_to_send()) == ["Authenticate", "ModifyQuerySet", "Mutation"]


@pytest.mark.parametrize(
    "stale",
    [AuthError("expired", 1, False), AuthError("bad", 0, True)],
    ids=["an expiry, while a newer token is under way", "an attempt before the last"],
)
def test_trap_17_an_auth_error_of_a_replaced_token_is_ignored(
    session: Session, stale: AuthError
) -> None:
    """Only a refusal of the newest token is acted upon."""
    session.core.set_identity(ALICE, now=session.now, refreshable=True)
    session.connect()
    session.core.provide_token(BOB, now=session.now)
    assert kinds(session.core.messages_to_send()) == ["Authenticate"]
    assert session.receive(stale) == []
    assert session.core.connection == Online()
    events = session.receive(AuthError("bad", 1, True))
    assert events == [TokenNeeded("bad"), CloseConnection("AuthError")]


def test_trap_18_a_token_that_is_always_refused_is_given_up(session: Session) -> None:
    """Two tokens are fetched anew at the most; then nothing is asked any more, least as nobody."""
    session.core.set_identity(None, now=session.now, refreshable=True)
    session.subscribe()
    outcomes = []
    for n in range(3):
        session.core.provide_token(Credential("User", f"token {n}"), now=session.now)
        session.connect()
        outcomes.append(type(session.receive(AuthError("no", 0, True))[0]))
        session.drop("AuthError")
    assert outcomes == [TokenNeeded, TokenNeeded, IdentityRefused]
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect"]


@pytest.mark.parametrize("error", [-(10**6), 0, 10**6], ids=["fast", "right", "slow"])
def test_trap_19_a_token_is_renewed_ahead_by_its_own_lifetime(error: int) -> None:
    """The deployment says nothing when a token ends; and no clock of ours may be right."""
    issued = int(time.time()) + error
    claims = msgspec.json.encode({"sub": "ada", "iat": issued, "exp": issued + 3600})
    token = f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.x"
    assert refresh_delay(token) == 3600 - REFRESH_LEEWAY
