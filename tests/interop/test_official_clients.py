"""The official clients, unchanged, against the local deployment: what all of them can do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from convex_async.codec.diff import same
from convex_async.local import LocalDeployment
from tests.interop.backend import make_functions
from tests.interop.official import ABSENT, Failed, Peer, npm, patiently, pypi, rust, started

Scenario = Callable[[Peer, LocalDeployment], Awaitable[None]]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(900),  # for a first `npm ci` and `cargo build`
    pytest.mark.usefixtures("node_modules", "rust_peer"),
]

LIVE: dict[str, Callable[[], list[str]]] = {
    "npm-ConvexClient": lambda: npm("simple"),
    "npm-BaseConvexClient": lambda: npm("base"),
    "PyPI-ConvexClient": lambda: pypi("socket"),
    "Rust-ConvexClient": rust,
}
HTTP: dict[str, Callable[[], list[str]]] = {
    "npm-ConvexHttpClient": lambda: npm("http"),
    "PyPI-ConvexHttpClient": lambda: pypi("http"),
}
ALL = {**LIVE, **HTTP}


def clients(commands: dict[str, Callable[[], list[str]]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("command", commands.values(), ids=commands)


async def run(command: Callable[[], list[str]], scenario: Scenario) -> None:
    """Run a scenario with a client and a deployment of its own."""

    async def attempt() -> None:
        async with (
            LocalDeployment(make_functions()) as deployment,
            started(command(), deployment) as peer,
        ):
            await scenario(peer, deployment)

    await patiently(command(), attempt)


async def refreshed(peer: Peer, command: Callable[[], list[str]]) -> None:
    """Wait for the fresh token that npm's live clients ask for once the first is confirmed."""
    if command()[0] == "node" and command()[-1] != "http":
        await peer.asked(2)
        await peer.mutation("log:append", {"line": "with the fresh token"})


VALUES: list[Any] = [
    None,
    True,
    "é\u2028🙂\x00",
    "",
    0,
    -1.5,
    1e308,
    5e-324,
    2**53,
    {"$float": "AAAAAAAA+H8="},  # NaN
    {"$float": "AAAAAAAA8H8="},  # Infinity
    {"$float": "AAAAAAAA8P8="},  # -Infinity
    {"$float": "AAAAAAAAAIA="},  # -0.0
    {"$integer": "AAAAAAAAAAA="},
    {"$integer": "//////////8="},
    {"$integer": "AAAAAAAAAIA="},  # -2**63
    {"$integer": "/////////38="},  # 2**63 - 1
    {"$bytes": ""},
    {"$bytes": "AP8="},
    [],
    [1, [2, []]],
    {},
    {"a b": {"~": {"$integer": "KgAAAAAAAAA="}}, "_x": [{}]},
]


@clients(ALL)
async def test_every_type_of_value_goes_there_and_back(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, _: LocalDeployment) -> None:
        back = await peer("action", "values:echo", args={"value": VALUES})
        for sent, got in zip(VALUES, back, strict=True):
            assert same(json.dumps(sent).encode(), json.dumps(got).encode()), (sent, got)

    await run(command, scenario)


@clients(ALL)
async def test_calls_and_their_errors(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, _: LocalDeployment) -> None:
        assert await peer.query("log:read") == []
        assert await peer.mutation("log:append", {"line": "one"}) == 1
        assert await peer.query("log:read") == ["one"]
        with pytest.raises(Failed) as caught:
            await peer.mutation("log:append", {"line": ""})
        assert caught.value.data == {"code": "EMPTY", "at": 1.5}
        for data in (None, 0, "", [{"$integer": "AQAAAAAAAAA="}]):
            with pytest.raises(Failed) as caught:
                await peer("action", "values:fail", args={"data": data})
            assert caught.value.data == data
        for order in (("query", "values:broken"), ("mutation", "log:nowhere"), ("action", "a:b")):
            with pytest.raises(Failed) as caught:
                await peer(*order, args={})
            assert caught.value.data is ABSENT
        assert await peer.query("log:read") == ["one"]

    await run(command, scenario)


@clients(ALL)
async def test_pages(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        await deployment.run("items:fill", {"count": 5.0, "size": 1.0})
        numbers: list[list[float]] = []
        cursor, is_done = None, False
        while not is_done:
            options = {"numItems": 2, "cursor": cursor}
            page = await peer.query("items:page", {"paginationOpts": options})
            numbers.append([item["number"] for item in page["page"]])
            cursor, is_done = page["continueCursor"], page["isDone"]
        assert [number for page in numbers for number in page] == [0, 1, 2, 3, 4]
        assert numbers[:2] == [[0, 1], [2, 3]]

    await run(command, scenario)


@clients(ALL)
async def test_users(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        peer.tokens = lambda _: deployment.issue_token("ada")
        assert await peer.query("users:me") is None
        await peer("auth")
        assert await peer.query("users:me", {"attempt": 1}) == "ada"
        await refreshed(peer, command)
        await peer("logout")
        assert await peer.query("users:me", {"attempt": 2}) is None

    await run(command, scenario)


@clients(ALL)
async def test_admins(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        with pytest.raises(Failed):
            await peer.query("users:secret", {"attempt": 1})
        await peer("admin", key=deployment.admin_key)
        assert await peer.query("users:secret", {"attempt": 2}) == "secret"
        assert await peer.query("users:me") is None

    await run(command, scenario)


@clients({name: ALL[name] for name in ALL if not name.startswith("PyPI")})
async def test_admins_who_act_as_a_user(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        user = {"issuer": "https://issuer.example", "subject": "ada", "tokenIdentifier": "i|ada"}
        await peer("admin", key=deployment.admin_key, user=user)
        assert await peer.query("users:me") == "ada"

    await run(command, scenario)


@clients(LIVE)
async def test_live_updates(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        await peer("subscribe", "log:read", args={})
        assert await peer.next() == []
        await deployment.run("log:append", {"line": "one"})
        assert await peer.next() == ["one"]
        await peer.mutation("log:append", {"line": "two"})
        assert await peer.next() == ["one", "two"]

    await run(command, scenario)


@clients(LIVE)
async def test_a_query_that_fails_and_recovers(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        await peer("subscribe", "log:strict", args={})
        assert await peer.next() == 0
        await deployment.run("log:append", {"line": "bad"})
        with pytest.raises(Failed) as caught:
            await peer.next()
        assert caught.value.data == {"code": "BAD"}
        await deployment.run("log:append", {"line": "good"})
        assert await peer.next() == 2

    await run(command, scenario)


@clients(LIVE)
async def test_a_lost_socket(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        await peer("subscribe", "log:read", args={})
        assert await peer.next() == []
        for number in range(2):
            faults = deployment.faults
            assert (faults.drop() if number == 0 else faults.close(1001, "going away")) == 1
            await deployment.run("log:append", {"line": str(number)})
            assert len(await peer.next()) == number + 1
        assert await peer.mutation("log:append", {"line": "2"}) == 3

    await run(command, scenario)


# The one of PyPI has no fetcher, and fails what is under way when the socket is closed.
@clients({name: LIVE[name] for name in LIVE if not name.startswith("PyPI")})
async def test_a_user_whose_token_expires(command: Callable[[], list[str]]) -> None:
    async def scenario(peer: Peer, deployment: LocalDeployment) -> None:
        peer.tokens = lambda _: deployment.issue_token("ada", n=len(peer.forced))
        await peer("auth")
        await peer("subscribe", "users:me", args={})
        while await peer.next() != "ada":
            pass
        await refreshed(peer, command)
        assert await peer.mutation("log:append", {"line": "one"}) >= 1
        assert peer.forced == [False, True][: len(peer.forced)]
        asked = len(peer.forced)
        assert deployment.faults.expire_auth() == 1
        await peer.asked(asked + 1)
        assert await peer.mutation("log:append", {"line": "two"}) >= 2
        assert await peer.query("users:me", {"attempt": 1}) == "ada"
        assert peer.forced[asked:][:1] == [True]

    await run(command, scenario)
