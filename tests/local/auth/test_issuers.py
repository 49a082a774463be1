"""Users of an issuer that is found by its URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from convex_async.local.auth import issuers
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.problems import DeploymentProblem


class Issuer:
    """An issuer on 127.0.0.1, which counts what it is asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.name: str | None = None
        self.asked: list[str] = []
        self.instead: dict[str, Callable[[], web.Response]] = {}
        self.keys: dict[str, ed25519.Ed25519PrivateKey] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.add_key("one")

    def add_key(self, key_id: str) -> None:
        self.keys[key_id] = ed25519.Ed25519PrivateKey.generate()

    def token(self, key_id: str = "one", **claims: Any) -> str:
        claims = {"iss": self.url, "sub": "ada", "aud": "my-app", "exp": time.time() + 60, **claims}
        return jwt.encode(claims, self.keys[key_id], "EdDSA", headers={"kid": key_id})

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        await self.may_answer.wait()
        if request.path in self.instead:
            return self.instead[request.path]()
        if request.path == "/keys":
            algorithm = jwt.get_algorithm_by_name("EdDSA")
            keys = [
                {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id}
                for key_id, key in self.keys.items()
            ]
            return web.json_response({"keys": keys})
        about = {"issuer": self.name or self.url, "jwks_uri": f"{self.url}/keys"}
        return web.json_response(about)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield issuer
    issuer.may_answer.set()
    await runner.cleanup()


@pytest.fixture
def tokens(issuer: Issuer) -> Tokens:
    return Tokens("mine", {issuer.url: "my-app"})


DISCOVERY = ["/.well-known/openid-configuration", "/keys"]


async def test_the_keys_are_fetched_once(issuer: Issuer, tokens: Tokens) -> None:
    found = await asyncio.gather(*(tokens.user(issuer.token()) for _ in range(3)))
    for identity, _ in found:
        assert identity.attributes is not None
        assert identity.attributes["tokenIdentifier"] == f"{issuer.url}|ada"
    assert issuer.asked == DISCOVERY


async def test_a_new_key_is_fetched_when_a_token_has_it(issuer: Issuer, tokens: Tokens) -> None:
    await tokens.user(issuer.token())
    issuer.add_key("two")
    await tokens.user(issuer.token("two"))
    await tokens.user(issuer.token("one"))
    assert issuer.asked == DISCOVERY * 2


async def test_tokens_for_another_application_or_by_another_key(
    issuer: Issuer, tokens: Tokens
) -> None:
    other = Issuer()
    other.url = issuer.url
    for bad in (
        issuer.token(aud="other-app"),
        issuer.token(aud=None),
        issuer.token(exp=time.time() - 60),
        issuer.token(iss="http://127.0.0.1:1"),
        other.token(),
    ):
        with pytest.raises(TokenRefused):
            await tokens.user(bad)
    await tokens.user(issuer.token(aud=["their-app", "my-app"]))


async def test_an_issuer_that_is_another(issuer: Issuer, tokens: Tokens) -> None:
    issuer.name = "https://issuer.example"
    with pytest.raises(DeploymentProblem, match="another issuer"):
        await tokens.user(issuer.token())


async def test_an_issuer_that_does_not_answer(
    issuer: Issuer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "DISCOVERY_TIMEOUT", 0.05)
    monkeypatch.setattr(issuers, "FAILURE_INTERVAL", 0.0)
    issuer.may_answer.clear()
    with pytest.raises(DeploymentProblem, match="discovery") as raised:
        await tokens.user(issuer.token())
    assert raised.value.code == "AuthProviderDiscoveryFailed"
    issuer.may_answer.set()
    await tokens.user(issuer.token())
