"""Users by JWT, of the deployment's own issuer and of others, and admins."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from convex_async import AuthError, ConvexClient, ConvexHttpClient
from convex_async.local import Functions, LocalDeployment
from tests.local.wire import Wire, connected, modify, mutation


def make_functions() -> Functions:
    functions = Functions()

    @functions.query("users:me")
    async def me(ctx: Any) -> Any:
        return await ctx.auth.get_user_identity()

    @functions.mutation("users:touch")
    async def touch(ctx: Any) -> None:
        return None

    return functions


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


async def discovered(url: str) -> dict[str, Any]:
    """The keys of an issuer, found as OpenID Connect has it."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/.well-known/openid-configuration") as response:
            about = await response.json()
        assert about["issuer"] == url
        async with session.get(about["jwks_uri"]) as response:
            keys: dict[str, Any] = await response.json()
    return keys


async def test_its_own_tokens_can_be_checked_by_anybody(deployment: LocalDeployment) -> None:
    token = deployment.issue_token("ada", lifetime=60, name="Ada")
    keys = await discovered(deployment.url)
    assert "d" not in keys["keys"][0]  # the private part
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience="convex", issuer=deployment.url)
    assert (claims["sub"], claims["name"]) == ("ada", "Ada")
    assert claims["exp"] - claims["iat"] == 60


async def test_tokens_of_another_issuer(deployment: LocalDeployment) -> None:
    issuers = {deployment.url: await discovered(deployment.url)}
    token = deployment.issue_token("ada", email="ada@example.com")
    async with (
        LocalDeployment(make_functions(), issuers=issuers) as other,
        ConvexClient(other.url, auth=token) as client,
    ):
        me = await client.query("users:me")
        assert me["tokenIdentifier"] == f"{deployment.url}|ada"
        assert me["email"] == "ada@example.com"
        # Its own are taken too, and are somebody else's.
        client.set_auth(other.issue_token("ada"))
        assert (await client.query("users:me"))["issuer"] == other.url
    async with LocalDeployment(make_functions()) as third, ConvexClient(third.url) as client:
        client.set_auth(token)
        with pytest.raises(AuthError, match="no provider is set up"):
            await client.query("users:me")


async def test_an_issuer_with_rsa_keys() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key(), as_dict=True)
    issuer = "https://issuer.example"
    keys = {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def token(**claims: Any) -> str:
        claims = {"iss": issuer, "sub": "bob", "exp": int(time.time()) + 60, **claims}
        return jwt.encode(claims, key, "RS256", headers={"kid": "one"})

    async with (
        LocalDeployment(make_functions(), issuers={issuer: keys}) as deployment,
        ConvexHttpClient(deployment.url, auth=token(aud="any")) as client,
    ):
        assert (await client.query("users:me"))["subject"] == "bob"
        header = {"kid": "two"}
        for bad in (
            token(exp=int(time.time()) - 60),
            token(sub=None),
            jwt.encode({"iss": issuer, "sub": "bob", "exp": 2**31}, key, "RS256", headers=header),
            jwt.encode({"iss": issuer, "sub": "bob", "exp": 2**31}, "x" * 32, "HS256"),
            jwt.encode({"iss": issuer, "sub": "bob", "exp": 2**31}, "", "none"),
        ):
            client.set_auth(bad)
            with pytest.raises(AuthError):
                await client.query("users:me")


async def test_a_token_for_another_application() -> None:
    """Or whoever has any token of a shared issuer, such as Google's, could come in with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key(), as_dict=True)
    issuer = "https://issuer.example"
    provider = {"applicationID": "mine", "keys": [{**public, "kid": "one"}]}

    def token(**claims: Any) -> str:
        claims = {"iss": issuer, "sub": "bob", "exp": int(time.time()) + 60, **claims}
        return jwt.encode(claims, key, "RS256", headers={"kid": "one"})

    async with (
        LocalDeployment(make_functions(), issuers={issuer: provider}) as deployment,
        ConvexHttpClient(deployment.url) as client,
    ):
        for audience in ("mine", ["theirs", "mine"]):
            client.set_auth(token(aud=audience))
            assert (await client.query("users:me"))["subject"] == "bob"
        for claims in ({}, {"aud": "theirs"}, {"aud": ["theirs"]}):
            client.set_auth(token(**claims))
            with pytest.raises(AuthError):
                await client.query("users:me")


async def test_a_token_that_was_changed(deployment: LocalDeployment) -> None:
    head, body, signature = deployment.issue_token("ada").split(".")
    _, other, _ = deployment.issue_token("bob").split(".")
    async with ConvexClient(deployment.url, auth=f"{head}.{other}.{signature}") as client:
        with pytest.raises(AuthError):
            await client.query("users:me")
    async with ConvexClient(deployment.url, auth=f"{head}.{body}.{signature}") as client:
        assert (await client.query("users:me"))["subject"] == "ada"


@pytest.mark.parametrize("name", ["impersonating", "acting_as"])
async def test_an_admin_acts_as_a_user_by_both_names(
    deployment: LocalDeployment, name: str
) -> None:
    user = {"issuer": "https://i", "subject": "ada", "email": "ada@example.com", "pets": [1]}
    async with connected(deployment) as wire:
        await wire.send(authenticate(0, "Admin", deployment.admin_key, **{name: user}))
        me = await subscribed(wire)
    assert me["tokenIdentifier"] == "https://i|ada"
    assert (me["email"], me["pets"]) == ("ada@example.com", [1])


async def test_an_admin_acts_as_a_user_with_this_packages_client(
    deployment: LocalDeployment,
) -> None:
    async with ConvexClient(deployment.url) as client:
        client.set_admin_auth(deployment.admin_key, {"tokenIdentifier": "i|ada"})
        assert (await client.query("users:me"))["tokenIdentifier"] == "i|ada"
        client.set_admin_auth(deployment.admin_key)
        assert await client.query("users:me") is None


@pytest.mark.parametrize(
    ("token_type", "value"), [("User", "nonsense"), ("Admin", "local|nonsense")]
)
async def test_what_is_refused(deployment: LocalDeployment, token_type: str, value: str) -> None:
    async with connected(deployment) as wire:
        await wire.add()
        await wire.receive()
        await wire.send(authenticate(0, token_type, value), mutation(0, "users:touch"))
        error = await wire.receive()
        assert error["type"] == "AuthError"
        assert (error["baseVersion"], error["authUpdateAttempted"]) == (0, True)
        assert await wire.closed() == (0, "")


@pytest.mark.parametrize("user", [{"subject": "ada"}, ["ada"], "ada"])
async def test_a_user_to_act_as_who_cannot_be_told_is_fatal(
    deployment: LocalDeployment, user: object
) -> None:
    async with connected(deployment) as wire:
        await wire.send(authenticate(0, "Admin", deployment.admin_key, impersonating=user))
        error = await wire.receive()
        assert error["type"] == "FatalError"
        assert deployment.admin_key not in error["error"]
        assert await wire.closed() == (0, "")


async def test_nobody_to_act_as(deployment: LocalDeployment) -> None:
    async with connected(deployment) as wire:
        await wire.send(authenticate(0, "Admin", deployment.admin_key, acting_as=None))
        assert await subscribed(wire) is None


async def test_an_expired_token_is_found_by_the_next_mutation(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(deployment) as wire:
        await wire.send(authenticate(0, "User", deployment.issue_token("ada", lifetime=60)))
        assert (await wire.receive())["endVersion"]["identity"] == 1
        now = time.time() + 61
        monkeypatch.setattr("convex_async.local.server.sync_socket.time.time", lambda: now)
        await wire.send(mutation(0, "users:touch"))
        error = await wire.receive()
        assert (error["baseVersion"], error["authUpdateAttempted"]) == (1, False)
        assert await wire.closed() == (0, "")


def authenticate(base: int, token_type: str, value: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "Authenticate",
        "baseVersion": base,
        "tokenType": token_type,
        "value": value,
        **more,
    }


async def subscribed(wire: Wire) -> Any:
    """The value of `users:me`."""
    add = {"type": "Add", "queryId": 1, "udfPath": "users:me", "args": [{}]}
    await wire.send(modify(0, add))
    while not (changes := (await wire.receive())["modifications"]):
        pass
    return changes[0]["value"]
