"""Tokens of anybody's making do not let a deployment do much about them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable

import pytest
from aiohttp import web

from convex_async.local.auth import issuers
from convex_async.local.auth.tokens import TokenRefused, Tokens
from convex_async.local.problems import DeploymentProblem
from tests.local.auth.test_issuers import DISCOVERY, Issuer, issuer, tokens

__all__ = ["issuer", "tokens"]  # the fixtures


async def test_unknown_keys_are_asked_for_once(issuer: Issuer, tokens: Tokens) -> None:
    other = Issuer()
    other.url = issuer.url
    for number in range(20):
        other.add_key(f"made-up-{number}")
    await tokens.user(issuer.token())
    results = await asyncio.gather(
        *(tokens.user(other.token(f"made-up-{number}")) for number in range(20)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {TokenRefused}
    assert issuer.asked == DISCOVERY * 2
    await tokens.user(issuer.token())  # who is known stays known


async def test_a_new_key_is_found_once_the_interval_is_over(
    issuer: Issuer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "MISS_INTERVAL", 0.0)
    other = Issuer()
    other.url = issuer.url
    other.add_key("two")
    with pytest.raises(TokenRefused):
        await tokens.user(other.token("two"))
    issuer.add_key("two")
    await tokens.user(issuer.token("two"))


async def test_an_issuer_that_is_down_is_asked_once_a_second(
    issuer: Issuer, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "DISCOVERY_TIMEOUT", 0.05)
    issuer.may_answer.clear()
    token = issuer.token()
    results = await asyncio.gather(*(tokens.user(token) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, DeploymentProblem) for result in results)
    assert len(issuer.asked) == 1


DOCUMENTS: dict[str, Callable[[], web.Response]] = {
    "deep": lambda: web.Response(body=b'{"keys":' + b"[" * 100_000),
    "endless": lambda: web.Response(body=b'{"keys":["' + b"a" * 2 * 2**20 + b'"]}'),
    "a bomb": lambda: web.Response(
        body=gzip.compress(b'{"keys":["' + b"a" * 200_000_000 + b'"]}', 1),
        headers={"Content-Encoding": "gzip"},
    ),
    "a list": lambda: web.json_response([]),
    "keys that are none": lambda: web.json_response({"keys": [1, None]}),
    "no keys": lambda: web.json_response({"keys": {"kid": "one"}}),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
@pytest.mark.parametrize("which", DISCOVERY)
async def test_a_document_that_is_none(
    issuer: Issuer,
    tokens: Tokens,
    document: Callable[[], web.Response],
    which: str,
) -> None:
    issuer.instead[which] = document
    with pytest.raises(DeploymentProblem, match="discovery") as raised:
        await tokens.user(issuer.token())
    assert len(str(raised.value)) < 1_000
