"""Tokens and keys: checking them, telling how long they live, and fetching them in time."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from convex_async.protocol.client.identity import Credential

# Characters of a token or key. Proxies take 8 to 16 kB of a header, and quote what they refuse.
MAX_SECRET = 16_000


def user_credential(token: str) -> Credential:
    """The credential of a user's JWT.

    Raises:
        TypeError, ValueError: it is not a string that a header or a message can carry. The
            message does not show it.
    """
    _check_secret(token, "a token")
    if "|" in token:
        raise ValueError(
            "this is an admin or deploy key, not a user's token: give it as admin_key=, or to "
            "set_admin_auth()"
        )
    return Credential("User", token)


def admin_credential(key: str, acting_as: Mapping[str, Any] | None = None) -> Credential:
    """The credential of an admin or deploy key, without the prefix that names its kind.

    Args:
        acting_as: attributes of the user to act as: `tokenIdentifier`, or `issuer` and `subject`.

    Raises:
        TypeError, ValueError: not a key, or the attributes do not tell who the user is.
    """
    _check_secret(key, "an admin key")
    # The socket strips no `preview:` or `project:` prefix by itself (convex-backend
    # crates/keybroker); a deploy key is `prefix:deployment|secret`.
    kind, colon, rest = key.partition(":")
    if colon and kind in ("prod", "dev"):
        key = rest
    elif colon and kind in ("preview", "project"):
        key = rest.partition("|")[2] or rest
    if acting_as is None:
        return Credential("Admin", key)
    if "tokenIdentifier" not in acting_as and not {"issuer", "subject"} <= acting_as.keys():
        raise ValueError("acting_as needs tokenIdentifier, or both issuer and subject")
    return Credential("Admin", key, msgspec.json.encode(dict(acting_as)))


def _check_secret(secret: object, what: str) -> None:
    if not isinstance(secret, str):
        raise TypeError(f"{what} is a string, not {type(secret).__name__}")
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError(f"{what} is a non-empty ASCII string without blanks")
    if len(secret) > MAX_SECRET:
        raise ValueError(
            f"{what} of {len(secret)} characters is too long for a header: at most {MAX_SECRET}"
        )


def user_of(credential: Credential) -> str:
    """Who this is, the same for each of a user's tokens, with nothing secret in it."""
    match credential.token_type:
        case "None":
            return "nobody"
        case "Admin" if credential.acting_as:
            return f"admin as {_subject(msgspec.json.decode(credential.acting_as))}"
        case "Admin":
            return "admin"
        case "User":
            return _subject(claims_of(credential.value or ""))
        case _:
            assert_never(credential.token_type)


def _subject(attributes: dict[str, Any]) -> str:
    """`issuer|subject`, as Convex's own token identifiers are made."""
    issuer = attributes.get("iss") or attributes.get("issuer", "")
    subject = attributes.get("sub") or attributes.get("subject", "")
    return str(attributes.get("tokenIdentifier") or f"{issuer}|{subject}")


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, empty if it is none; only the deployment can judge its signature."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        return msgspec.json.decode(urlsafe_b64decode(padded), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        return {}


def authorization(credential: Credential) -> dict[str, str]:
    """The header of a credential, or none.

    Source: convex-js src/browser/http_client.ts.
    """
    match credential.token_type:
        case "User":
            return {"Authorization": f"Bearer {credential.value}"}
        case "Admin":
            acting_as = b64encode(credential.acting_as).decode()
            suffix = f":{acting_as}" if acting_as else ""
            return {"Authorization": f"Convex {credential.value}{suffix}"}
        case "None":
            return {}
