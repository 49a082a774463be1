"""The keys of other issuers of JWTs, found as OpenID Connect has it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from convex_async.local.problems import DeploymentProblem

# Seconds that an issuer has to answer both requests.
DISCOVERY_TIMEOUT = 10.0


class OpenIdIssuer:
    """An issuer whose keys are fetched when they are needed, and kept.

    Source: convex-backend crates/authentication/src/lib.rs, validate_id_token; OpenID Connect
    Discovery 1.0, sections 4 and 4.3.

    Args:
        issuer: its URL, the `iss` of its tokens.
        audience: the application ID, which has to be in the `aud` of its tokens.
    """

    def __init__(self, issuer: str, audience: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self._keys: dict[str, Any] = {}
        self._fetching = asyncio.Lock()

    async def keys(self, key_id: str | None) -> dict[str, Any]:
        """The issuer's JWKS document, fetched anew if the kept one lacks the key.

        Raises:
            DeploymentProblem: it could not be had.
        """
        async with self._fetching:
            if not any(key.get("kid") == key_id for key in self._keys.get("keys", ())):
                self._keys = await self._fetch()
        return self._keys

    async def _fetch(self) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=DISCOVERY_TIMEOUT)
        try:
            async with (
                asyncio.timeout(DISCOVERY_TIMEOUT),
                aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
            ):
                path = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                about = await _object(session, path)
                if about.get("issuer") != self.issuer:
                    raise ValueError("it says that it is another issuer")
                return await _object(session, str(about.get("jwks_uri")))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DeploymentProblem(
                "BadRequest",
                "AuthProviderDiscoveryFailed",
                f"Auth provider discovery of {self.issuer} failed: {type(error).__name__}: {error}",
            ) from None


async def _object(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url, headers={"Accept": "application/json"}) as response:
        document = await response.json(content_type=None)
    if not isinstance(document, dict):
        raise ValueError(f"{url} is no JSON object")
    return document
