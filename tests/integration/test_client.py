"""Calls over a real socket, and what bad input does: one clear error, and the client lives on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from convex_async import (
    ClientClosedError,
    ConvexClient,
    ConvexError,
    ConvexInt64,
    FunctionError,
    InvalidValueError,
    LocalProtocolError,
    TransportError,
    UnsupportedTypeError,
    api,
)
from convex_async.local import LocalDeployment


class Note(msgspec.Struct):
    text: str


@dataclass
class CountedNote:
    text: int


async def test_calls_of_each_kind(client: ConvexClient) -> None:
    note_id = await client.mutation("notes:add", {"text": "one"})
    (note,) = await client.query(api.notes.list)
    assert (note["_id"], note["text"]) == (note_id, "one")
    assert await client.action("notes:echo", {"value": [1, b"x"]}) == [1.0, b"x"]


@pytest.mark.parametrize(
    "value", [None, True, 1.5, -0.0, float("inf"), ConvexInt64(2**62), "é😀", b"\x00\xff", [], {}]
)
async def test_every_value_comes_back_as_it_went(client: ConvexClient, value: Any) -> None:
    back = await client.action("notes:echo", {"value": value})
    assert back == value
    assert type(back) is type(value)


async def test_results_of_the_users_types(client: ConvexClient) -> None:
    await client.mutation("notes:add", {"text": "one"})
    notes = await client.query("notes:list", type=list[Note])
    assert notes == [Note("one")]
    with pytest.raises(InvalidValueError, match=r"value\[0\]\.text") as caught:
        await client.query("notes:list", type=list[CountedNote])
    assert caught.value.path == "value[0].text"


async def test_read_your_writes(client: ConvexClient) -> None:
    async with client.subscribe("notes:list") as notes:
        for number in range(20):
            await client.mutation("notes:add", {"text": str(number)})
            assert len(await notes.get()) == number + 1


async def test_a_convex_error_has_its_data(client: ConvexClient) -> None:
    with pytest.raises(ConvexError) as caught:
        await client.mutation("notes:add", {"text": ""})
    assert caught.value.data == {"code": "EMPTY"}
    assert caught.value.path == "notes:add"
    assert caught.value.request_id is not None


@pytest.mark.parametrize(
    ("path", "args", "text"),
    [
        ("notes:nope", None, "Could not find public function"),
        ("notes:list", {"surplus": 1}, "ArgumentValidationError"),
        ("notes:add", {"text": "x"}, "defined as Mutation"),
    ],
)
async def test_a_wrong_call_is_the_functions_failure(
    client: ConvexClient, path: str, args: dict[str, Any] | None, text: str
) -> None:
    with pytest.raises(FunctionError, match=text):
        await client.query(path, args)
    assert await client.query("notes:list") == []


async def test_bad_arguments_raise_at_the_call(client: ConvexClient) -> None:
    with pytest.raises(UnsupportedTypeError, match=r"args\.items\[1\]") as caught:
        _ = client.mutation("notes:add", {"items": [1, object()]})
    assert caught.value.path == "args.items[1]"
    with pytest.raises(InvalidValueError, match=r"args\.n"):
        client.subscribe("notes:list", {"n": 2**60})
    with pytest.raises(UnsupportedTypeError, match="mapping"):
        client.query("notes:list", [1])  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="not a function path"):
        _ = client.query("no-hyphens:allowed")
    assert await client.query("notes:list") == []
    assert client.state.connection_count == 1


async def test_arguments_are_read_when_the_call_is_made(client: ConvexClient) -> None:
    args = {"value": [1]}
    call = client.action("notes:echo", args)
    args["value"].append(2)
    assert await call == [1.0]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("happy-animal-123.convex.cloud", "has no scheme"),
        ("https://happy-animal-123.convex.site", r"HTTP actions.*convex\.cloud"),
        ("https://dashboard.convex.dev/d/happy", "dashboard"),
        ("ftp://x", "scheme"),
    ],
)
def test_a_bad_url_is_told(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ConvexClient(url)


def test_a_missing_url_says_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEX_URL", raising=False)
    with pytest.raises(ValueError, match="CONVEX_URL"):
        ConvexClient()


async def test_no_deployment_is_a_transport_error(unused_tcp_port: int) -> None:
    async with ConvexClient(f"http://127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(TransportError, match="no connection"):
            await client.connect()


async def test_another_thread_and_another_loop_are_refused(client: ConvexClient) -> None:
    await client.connect()
    caught: list[BaseException] = []

    def elsewhere() -> None:
        for misuse in (lambda: client.query("notes:list"), client.close):

            async def call(misuse: Callable[[], Awaitable[Any]] = misuse) -> None:
                await misuse()

            try:
                asyncio.run(call())
            except LocalProtocolError as error:
                caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert ["thread" in str(error) for error in caught] == [True, True]
    assert await client.query("notes:list") == []


def test_a_second_loop_of_the_same_thread_is_refused() -> None:
    client = ConvexClient("http://127.0.0.1:9")

    async def use() -> None:
        client.subscribe("notes:list").close()

    async def misuse() -> None:
        with pytest.raises(LocalProtocolError, match="event loop"):
            client.subscribe("notes:list")

    with asyncio.Runner() as first:
        first.run(use())
        asyncio.run(misuse())
        first.run(client.close())


def test_no_loop_at_all_is_told() -> None:
    client = ConvexClient("http://127.0.0.1:9")
    with pytest.raises(LocalProtocolError, match="running event loop"):
        client.subscribe("notes:list")


async def test_a_closed_client_says_so(deployment: LocalDeployment) -> None:
    client = ConvexClient(deployment.url)
    await client.close()
    await client.close()
    with pytest.raises(ClientClosedError):
        await client.query("notes:list")


async def test_no_token_shows(deployment: LocalDeployment) -> None:
    token = deployment.issue_token("ada")
    async with ConvexClient(deployment.url, auth=token) as client:
        assert await client.query("users:me") == "ada"
        assert token not in f"{client!r}{client.state!r}{client.__dict__!r}"


def test_a_token_does_not_travel_unencrypted() -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        ConvexClient("http://example.com", auth="a.b.c")
    assert ConvexClient("http://example.com", auth="a.b.c", allow_insecure=True).url
