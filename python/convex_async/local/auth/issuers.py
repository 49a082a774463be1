"""The keys of other issuers of JWTs, found as OpenID Connect has it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp

from convex_async.local.problems import DeploymentProblem

# Seconds that an issuer has to answer both requests.
DISCOVERY_TIMEOUT = 10.0
# Seconds for which it holds that an issuer has no such key: anybody may show tokens with keys that
# nobody has, and each would be asked for.
MISS_INTERVAL = 30.0
# Seconds for which it holds that an issuer does not answer.
FAILURE_INTERVAL = 1.0
# Bytes of a document: a set of keys has a few thousand.
MAX_DOCUMENT = 2**20


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
        self._problem: DeploymentProblem | None = None
        self._next_fetch = 0.0
        self._fetching = asyncio.Lock()

    async def keys(self, key_id: str | None) -> dict[str, Any]:
        """The issuer's JWKS document, fetched anew if the kept one lacks the key.

        Raises:
            DeploymentProblem: it could not be had.
        """
        if self._has(key_id):
            return self._keys
        async with self._fetching:
            if not self._has(key_id):
                await self._renew(key_id)
        return self._keys

    def _has(self, key_id: str | None) -> bool:
        return any(key.get("kid") == key_id for key in self._keys.get("keys", ()))

    async def _renew(self, key_id: str | None) -> None:
        """Fetch the keys, unless that was in vain just now."""
        if time.monotonic() >= self._next_fetch:
            try:
                self._keys, self._problem = await self._fetch(), None
            except DeploymentProblem as problem:
                self._problem = problem
                self._next_fetch = time.monotonic() + FAILURE_INTERVAL
            else:
                if not self._has(key_id):
                    self._next_fetch = time.monotonic() + MISS_INTERVAL
        if self._problem is not None:
            raise self._problem.with_traceback(None)

    async def _fetch(self) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=DISCOVERY_TIMEOUT)
        try:
            async with (
                asyncio.timeout(DISCOVERY_TIMEOUT),
                aiohttp.ClientSession(
                    timeout=timeout, raise_for_status=True, auto_decompress=False
                ) as session,
            ):
                path = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                about = await _object(session, path)
                if about.get("issuer") != self.issuer:
                    raise ValueError("it says that it is another issuer")
                return await _object(session, str(about.get("jwks_uri")))
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            raise DeploymentProblem(
                "BadRequest",
                "AuthProviderDiscoveryFailed",
                f"Auth provider discovery of {self.issuer} failed: {type(error).__name__}: {error}",
            ) from None


async def _object(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with session.get(url, headers=headers) as response:
        if "Content-Encoding" in response.headers:
            raise ValueError(f"{url} is compressed, though it was asked not to be")
        text = bytearray()
        async for chunk in response.content.iter_any():
            text += chunk
            if len(text) > MAX_DOCUMENT:
                raise ValueError(f"{url} has over {MAX_DOCUMENT} bytes")
    document: Any = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f"{url} is no JSON object")
    keys = document.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError(f"{url} has keys that are none")
    return document
