"""Who a caller is: JWTs of the deployment's own issuer and of others, and admin keys."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import msgspec

from convex_async.local.auth.identity import Caller
from convex_async.local.auth.issuers import OpenIdIssuer
from convex_async.local.problems import Category, DeploymentProblem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

AUDIENCE = "convex"
KEY_ID = "local"
BAD_REQUEST: Category = "BadRequest"


# Of the group of the curve P-256 (FIPS 186-4, D.1.2.3).
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Kept(Protocol):
    """Where secrets are kept."""

    def keep(self, name: str, value: bytes) -> bytes:
        """What is kept under a name; this value if nothing is."""
        ...


class TokenRefused(DeploymentProblem):
    """The token is not one that this deployment takes; the text says why, not what it was."""

    def __init__(self, code: str, message: str, category: Category = "Unauthenticated") -> None:
        super().__init__(category, code, message)


class Tokens:
    """Issues and checks credentials.

    Args:
        name: of the deployment, the first part of its admin key.
        issuers: other issuers that are trusted, by `iss`: the JWKS document of each, beside whose
            `keys` an `applicationID` may stand, the audience that tokens are to be for; or that
            ID alone for one whose keys are found by OpenID Connect.
    """

    def __init__(self, name: str, issuers: Mapping[str, Mapping[str, Any] | str]) -> None:
        self.name = name
        self._admin_secret = self._signing_secret = b""
        self._take_secrets(secrets.token_bytes(32), secrets.token_bytes(32))
        self.issuer: str = ""
        self._issuers = {
            issuer: OpenIdIssuer(issuer, keys) if isinstance(keys, str) else keys
            for issuer, keys in issuers.items()
        }

    def trust(self, providers: Iterable[Mapping[str, Any]]) -> None:
        """Trust the providers of an `auth.config` beside the issuers that are trusted already.

        Raises:
            ValueError: a provider is none.
        """
        for provider in providers:
            if provider.get("type") == "customJwt":
                self._issuers[provider["issuer"]] = provider
            else:
                domain = str(provider["domain"])
                if "://" not in domain:
                    domain = f"https://{domain}"
                self._issuers[domain] = OpenIdIssuer(domain, provider["applicationID"])

    def keep(self, kept: Kept, url: str) -> None:
        """Take the keys that are kept with the data, or keep those of now there.

        Args:
            url: of the deployment. Its first one is the issuer of all tokens that it ever issues,
                so that a user stays the same one.
        """
        self._take_secrets(
            kept.keep("admin", self._admin_secret), kept.keep("tokens", self._signing_secret)
        )
        self.issuer = kept.keep("issuer", url.encode()).decode()

    def _take_secrets(self, admin: bytes, signing: bytes) -> None:
        if signing != self._signing_secret:
            self.__dict__.pop("_key", None)
        self._admin_secret, self._signing_secret = admin, signing
        self.admin_key: str = f"{self.name}|{admin.hex()}"

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        _jwt()
        from cryptography.hazmat.primitives.asymmetric import ec

        number = int.from_bytes(hashlib.sha512(self._signing_secret).digest(), "big")
        return ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())

    def issue(self, subject: str, lifetime: float, claims: Mapping[str, Any]) -> str:
        """A JWT that this deployment takes for `lifetime` seconds."""
        now = time.time()
        payload = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": int(now),
            "exp": int(now + lifetime),
            "jti": secrets.token_hex(8),
            **claims,
        }
        token: str = _jwt().encode(payload, self._key, "ES256", headers={"kid": KEY_ID})
        return token

    def jwks(self) -> dict[str, Any]:
        """The public key, as `/.well-known/jwks.json` serves it."""
        algorithm = _jwt().get_algorithm_by_name("ES256")
        key = algorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "ES256"}]}

    async def user(self, token: str) -> tuple[Caller, float]:
        """The identity of a JWT, and when it ends, seconds since the epoch.

        Raises:
            TokenRefused: it is none of ours, or has ended.
            DeploymentProblem: the keys of its issuer could not be had.
        """
        jwt = _jwt()
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            audience: str | None = AUDIENCE
            if issuer == self.issuer:
                key: Any = self._key.public_key()
            elif isinstance(issuer, str) and issuer in self._issuers:
                key_id = jwt.get_unverified_header(token).get("kid")
                provider = self._issuers[issuer]
                if isinstance(provider, OpenIdIssuer):
                    audience, document = provider.audience, await provider.keys(key_id)
                else:
                    audience, document = provider.get("applicationID"), dict(provider)
                    if "jwks" in document:
                        document = _read_jwks(document["jwks"])
                key = jwt.PyJWKSet.from_dict(document)[key_id or ""]
            else:
                raise TokenRefused("NoAuthProvider", f"no provider is set up for issuer {issuer!r}")
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256", "RS256", "EdDSA"],
                audience=audience,
                options={"verify_aud": audience is not None, "require": ["exp", "sub"]},
                leeway=5,
            )
        except jwt.PyJWTError as error:
            raise TokenRefused("Unauthenticated", str(error)) from None
        except KeyError:
            raise TokenRefused("Unauthenticated", "the issuer has no such key") from None
        attributes = {
            **{
                n: v
                for n, v in claims.items()
                if n not in ("iss", "sub", "aud", "iat", "exp", "jti")
            },
            "subject": claims["sub"],
            "issuer": claims["iss"],
            "tokenIdentifier": f"{claims['iss']}|{claims['sub']}",
        }
        return Caller(attributes), float(claims["exp"])

    def admin(self, key: str, acting_as: bytes = b"") -> Caller:
        """The identity of an admin key, and of the user it acts as, given as JSON.

        Raises:
            TokenRefused: it is not the key, or the user is not told.
        """
        given = key.rpartition("|")[2].encode()
        if not secrets.compare_digest(given, self.admin_key.rpartition("|")[2].encode()):
            raise TokenRefused(
                "BadAdminKey", "The provided admin key was invalid for this instance"
            )
        if acting_as in (b"", b"null"):
            return Caller(is_admin=True)
        return Caller(_attributes(acting_as), is_admin=True)

    async def from_header(self, header: str | None, admin_key: str | None = None) -> Caller | None:
        """The identity of an HTTP request.

        Args:
            header: `Authorization`: `Bearer JWT`, `Convex KEY` or `Convex KEY:BASE64`, the last
                being the JSON of the user to act as.
            admin_key: the parameter `adminKey` of the URL, which counts if there is no header.

        Raises:
            TokenRefused: they name none that is known.

        Source: convex-backend crates/local_backend/src/authentication.rs.
        """
        if header is None:
            return None if admin_key is None else self.admin(admin_key)
        if not header.isascii():
            raise _malformed_header()
        if len(header) < 7:
            raise TokenRefused("InvalidHeaderFailure", "Invalid authentication header", BAD_REQUEST)
        scheme, _, value = header.partition(" ")
        match scheme.lower():
            case "bearer":
                return (await self.user(value))[0]
            case "convex":
                name, _, secret = value.rpartition("|")
                secret, _, acting_as = secret.partition(":")
                try:
                    user = b64decode(acting_as, validate=True)
                except ValueError:
                    raise _malformed_header() from None
                return self.admin(f"{name}|{secret}", user)
            case _:
                raise TokenRefused("InvalidAdminKey", "neither Bearer nor Convex", BAD_REQUEST)


def _read_jwks(url: str) -> dict[str, Any]:
    """The JWKS document of a `data:` URL."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma:
        raise TokenRefused("InvalidAuthProvider", "the provider's keys can't be had")
    try:
        text = b64decode(data) if head.endswith(";base64") else unquote(data).encode()
        document: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        raise TokenRefused("InvalidAuthProvider", "the provider's keys can't be read") from None
    return document


def _attributes(acting_as: bytes) -> dict[str, Any]:
    """The user that an admin acts as, out of JSON."""
    try:
        attributes: dict[str, Any] = msgspec.json.decode(acting_as, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _malformed_header() from None
    if "tokenIdentifier" not in attributes:
        if not {"issuer", "subject"} <= attributes.keys():
            raise TokenRefused(
                "HeaderParseFailure",
                "the user to act as needs tokenIdentifier, or issuer and subject",
                BAD_REQUEST,
            )
        attributes["tokenIdentifier"] = f"{attributes['issuer']}|{attributes['subject']}"
    return attributes


def _malformed_header() -> TokenRefused:
    return TokenRefused("HeaderParseFailure", "Malformed Authorization header.", BAD_REQUEST)


def _jwt() -> Any:
    try:
        import jwt
    except ImportError as error:
        raise ImportError(
            "tokens of a local deployment need PyJWT: pip install 'convex-async[local]'"
        ) from error
    return jwt
