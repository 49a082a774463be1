"""Credentials: who they are, and how they go on the wire."""

from __future__ import annotations

from base64 import b64decode

import msgspec
import pytest

from convex_async import ConvexClient, ConvexHttpClient
from convex_async.auth.credentials import (
    admin_credential,
    authorization,
    claims_of,
    user_credential,
    user_of,
)
from convex_async.protocol.client.identity import ANONYMOUS
from tests.auth.test_tokens import jwt


def test_a_user_is_issuer_and_subject_whatever_the_token() -> None:
    one = user_credential(jwt("ada", iss="https://issuer"))
    other = user_credential(jwt("ada", 60, iss="https://issuer", email="a@b.c"))
    assert user_of(one) == user_of(other) == "https://issuer|ada"
    assert user_of(user_credential(jwt("bob", iss="https://issuer"))) == "https://issuer|bob"
    assert user_of(user_credential("opaque")) == "|"


def test_nobody_and_admins() -> None:
    assert user_of(ANONYMOUS) == "nobody"
    assert user_of(admin_credential("name|secret")) == "admin"
    acting = admin_credential("name|secret", {"issuer": "i", "subject": "s"})
    assert user_of(acting) == "admin as i|s"
    assert user_of(admin_credential("name|secret", {"tokenIdentifier": "t"})) == "admin as t"


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c.d", "a.!.c", "a.W10.c", "a.bnVsbA.c"])
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert claims_of(token) == {}


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("happy|secret", "happy|secret"),
        ("prod:happy|secret", "happy|secret"),
        ("dev:happy|secret", "happy|secret"),
        ("preview:team:project|secret", "secret"),
        ("project:team:project|secret", "secret"),
    ],
)
def test_a_deploy_key_goes_without_its_prefix(key: str, sent: str) -> None:
    assert authorization(admin_credential(key)) == {"Authorization": f"Convex {sent}"}


def test_whom_an_admin_acts_as_goes_along() -> None:
    header = authorization(admin_credential("n|s", {"tokenIdentifier": "t"}))["Authorization"]
    assert header.startswith("Convex n|s:")
    assert msgspec.json.decode(b64decode(header[11:])) == {"tokenIdentifier": "t"}
    with pytest.raises(ValueError, match="tokenIdentifier"):
        admin_credential("n|s", {"issuer": "i"})


def test_nobody_has_no_header() -> None:
    assert authorization(ANONYMOUS) == {}
    assert authorization(user_credential("a.b.c")) == {"Authorization": "Bearer a.b.c"}


@pytest.mark.parametrize("key", ["prod:happy-animal-1|c2VjcmV0", "happy|c2VjcmV0"])
def test_a_key_given_for_a_token_is_told(key: str) -> None:
    for client in (ConvexClient("http://127.0.0.1:9"), ConvexHttpClient("http://127.0.0.1:9")):
        with pytest.raises(ValueError, match="admin_key=") as raised:
            client.set_auth(key)
        assert "c2VjcmV0" not in str(raised.value)
