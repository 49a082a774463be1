"""Who the client is, and what an AuthError means."""

import pytest

from convex_async.protocol.client.connection import Online
from convex_async.protocol.client.events import CloseConnection, IdentityRefused, TokenNeeded
from convex_async.protocol.client.identity import (
    ANONYMOUS,
    FORCED_TRIES,
    ClientIdentity,
    Confirmed,
    Credential,
    Refused,
    Unconfirmed,
    Waiting,
)
from convex_async.protocol.messages import Authenticate, AuthError
from tests.protocol.client.test_client_protocol import SEND, Session, kinds

ALICE, BOB = Credential("User", "alice"), Credential("User", "bob")


def test_a_client_starts_as_nobody_and_says_nothing_of_it() -> None:
    identity = ClientIdentity()
    assert identity.is_settled
    assert identity.speak_as(0) is None


def test_a_token_is_confirmed_by_the_transition_that_acknowledges_it() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    message = identity.speak_as(identity.epoch)
    assert message is not None
    assert (message.base_version, message.token_type, message.value) == (0, "User", "alice")
    assert not identity.acknowledged(0)
    assert identity.acknowledged(1)
    assert identity.state == Confirmed(ALICE)


def test_an_unchanged_token_is_not_sent_again() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=True)
    identity.speak_as(1)
    identity.acknowledged(1)
    identity.provide(ALICE)
    assert identity.is_settled
    assert identity.speak_as(1) is None
    identity.provide(BOB)
    message = identity.speak_as(1)
    assert message is not None
    assert message.base_version == 1


def test_logging_out_is_told() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    identity.speak_as(1)
    identity.switch(ANONYMOUS, refreshable=False)
    message = identity.speak_as(2)
    assert message is not None
    assert (message.token_type, message.value) == ("None", None)


def test_a_new_socket_begins_at_version_zero() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    identity.speak_as(1)
    identity.acknowledged(1)
    identity.restart()
    assert identity.state == Unconfirmed(ALICE)
    message = identity.speak_as(1)
    assert message is not None
    assert message.base_version == 0


def test_a_refused_static_token_is_final() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    identity.speak_as(1)
    assert identity.refused("no", base_version=0, attempted=True) == "final"
    assert identity.state == Refused("no")


def test_a_fetched_token_gets_two_forced_tries() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=True)
    for _ in range(FORCED_TRIES):
        identity.speak_as(1)
        assert identity.refused("no", base_version=0, attempted=True) == "retry"
        assert identity.state == Waiting()
        identity.restart()
        identity.provide(BOB)
    identity.speak_as(1)
    assert identity.refused("no", base_version=0, attempted=True) == "final"


def test_a_confirmed_token_that_expires_has_its_tries_again() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=True)
    for _ in range(5):
        identity.restart()
        identity.speak_as(1)
        identity.acknowledged(1)
        assert identity.refused("expired", base_version=1, attempted=False) == "retry"
        identity.provide(ALICE)


def test_stale_refusals_are_ignored() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=True)
    identity.speak_as(1)
    # An expiry that crossed a newer Authenticate.
    assert identity.refused("expired", base_version=0, attempted=False) == "stale"
    identity.provide(BOB)
    identity.speak_as(1)
    # An attempt before the last.
    assert identity.refused("no", base_version=0, attempted=True) == "stale"
    assert identity.state == Unconfirmed(BOB)


def test_the_refusal_of_an_earlier_user_is_not_the_present_ones() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    identity.switch(BOB, refreshable=False)
    identity.speak_as(1)
    assert identity.refused("no", base_version=0, attempted=True) == "earlier"
    assert identity.state == Unconfirmed(BOB)


def test_a_credential_shows_no_secret() -> None:
    credential = Credential("Admin", "key", b'{"subject":"bob"}')
    assert "key" not in repr(credential)
    assert "bob" not in repr(credential)


def test_a_held_identity_waits_for_its_next_token() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=True)
    identity.speak_as(1)
    identity.acknowledged(1)
    identity.hold()
    assert not identity.is_settled
    assert not identity.awaits_confirmation
    identity.provide(BOB)
    assert identity.awaits_confirmation


def test_credentials_of_users_that_are_over_are_forgotten() -> None:
    identity = ClientIdentity()
    identity.switch(ALICE, refreshable=False)
    identity.switch(BOB, refreshable=False)
    identity.forget(before=1)
    assert [identity.has_credential(epoch) for epoch in range(3)] == [False, True, True]
    identity.forget(before=2)
    assert [identity.has_credential(epoch) for epoch in range(3)] == [False, False, True]


@pytest.mark.trap(15)
def test_logging_out_while_nothing_may_be_sent_is_told_afterwards(
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


@pytest.mark.trap(16)
def test_nothing_runs_before_the_token_is_there(session: Session) -> None:
    """While a token is fetched nothing is sent, then Authenticate is first: no anonymous flash."""
    session.core.set_identity(None, now=session.now, refreshable=True)
    session.subscribe()
    session.core.mutation(SEND, b"{}")
    assert kinds(session.connect()) == ["Connect"]
    session.core.provide_token(ALICE, now=session.now)
    assert kinds(session.core.messages_to_send()) == ["Authenticate", "ModifyQuerySet", "Mutation"]


@pytest.mark.trap(17)
@pytest.mark.parametrize(
    "stale",
    [AuthError("expired", 1, False), AuthError("bad", 0, True)],
    ids=["an expiry, while a newer token is under way", "an attempt before the last"],
)
def test_an_auth_error_of_a_replaced_token_is_ignored(session: Session, stale: AuthError) -> None:
    """Only a refusal of the newest token is acted upon."""
    session.core.set_identity(ALICE, now=session.now, refreshable=True)
    session.connect()
    session.core.provide_token(BOB, now=session.now)
    assert kinds(session.core.messages_to_send()) == ["Authenticate"]
    assert session.receive(stale) == []
    assert session.core.connection == Online()
    events = session.receive(AuthError("bad", 1, True))
    assert events == [TokenNeeded("bad"), CloseConnection("AuthError")]


@pytest.mark.trap(18)
def test_a_token_that_is_always_refused_is_given_up(session: Session) -> None:
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
