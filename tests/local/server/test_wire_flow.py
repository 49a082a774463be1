"""The flow of messages: signs of life, slow readers, unchanged results, long transitions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMsgType

from convex_async import ConvexError
from convex_async.local import LocalDeployment
from convex_async.protocol.chunks import cut
from convex_async.protocol.messages import parse_timestamp
from convex_async.protocol.server.server_protocol import MAX_UNSENT_TRANSITIONS, ServerProtocol
from tests.integration.backend import make_functions
from tests.local.wire import CONNECT, connected, modify, mutation

SYNC = "convex_async.local.server.sync_socket"


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


async def test_a_ping_frame_comes_at_once_and_ping_messages_when_nothing_else_does(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{SYNC}.MESSAGE_INTERVAL", 0.05)  # the next ping frame is 5 s away
    async with connected(deployment, autoping=False) as wire:
        async with asyncio.timeout(2):
            assert (await wire.socket.receive()).type is WSMsgType.PING
            for _ in range(2):
                assert await wire.receive() == {"type": "Ping"}


async def test_a_client_without_a_sign_of_life_is_given_up(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{SYNC}.CLIENT_TIMEOUT", 0.1)
    async with connected(deployment, autoping=False) as wire:
        assert (await wire.socket.receive()).type is WSMsgType.PING  # which nobody answers
        assert await wire.closed() == (1000, "ClientDisconnected")


async def test_a_pong_is_a_sign_of_life(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{SYNC}.CLIENT_TIMEOUT", 0.15)
    monkeypatch.setattr(f"{SYNC}.PING_INTERVAL", 0.03)
    monkeypatch.setattr(f"{SYNC}.MESSAGE_INTERVAL", 0.3)
    async with connected(deployment) as wire:
        assert await wire.receive() == {"type": "Ping"}


async def test_a_ping_of_the_client_is_answered(deployment: LocalDeployment) -> None:
    async with connected(deployment, autoping=False) as wire:
        await wire.socket.ping(b"hello")
        async with asyncio.timeout(5):
            while (frame := await wire.socket.receive()).type is not WSMsgType.PONG:
                pass
        assert frame.data == b"hello"


async def test_a_transition_shows_every_commit_up_to_its_timestamp(
    deployment: LocalDeployment,
) -> None:
    async with connected(deployment) as wire:
        await wire.add((1, "notes:list"))
        await wire.receive()
        await wire.send(*(mutation(number, "notes:add", text="x") for number in range(20)))
        shown, answered = 0, 0
        while answered < 20 or shown < 20:
            message = await wire.receive()
            if message["type"] == "MutationResponse":
                answered += 1
                committed = parse_timestamp(message["ts"])
            elif message["type"] == "Transition":
                for change in message["modifications"]:
                    shown = len(change["value"])
                if parse_timestamp(message["endVersion"]["ts"]) >= committed:
                    assert shown >= answered


async def test_a_transition_has_every_field_that_npm_counts_on(
    deployment: LocalDeployment,
) -> None:
    async with connected(deployment) as wire:
        await wire.send({**CONNECT, "clientTs": 0})
        await wire.add((1, "notes:list"), (2, "notes:missing"))
        transition = await wire.receive()
    assert transition["startVersion"] == {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}
    assert transition["endVersion"]["querySet"] == 1
    assert transition["clientClockSkew"] < -1e12
    assert transition["serverTs"] > 1e18
    updated, failed = transition["modifications"]
    assert updated == {
        "type": "QueryUpdated",
        "queryId": 1,
        "value": [],
        "logLines": [],
        "journal": None,
    }
    assert (failed["type"], failed["logLines"], failed["journal"]) == ("QueryFailed", [], None)
    assert "errorData" not in failed


async def test_unchanged_results_are_left_out(deployment: LocalDeployment) -> None:
    async with connected(deployment) as wire:
        count = {"type": "Add", "queryId": 3, "udfPath": "notes:count", "args": [{"tag": "2"}]}
        await wire.add((1, "notes:list"), (2, "notes:strict"))
        await wire.receive()
        await wire.send(modify(1, count))
        await wire.receive()
        await wire.send(mutation(0, "notes:add", text="1"))
        answer, transition = await wire.receive(), await wire.receive()
    assert answer["type"] == "MutationResponse"
    assert [change["queryId"] for change in transition["modifications"]] == [1, 2]
    assert transition["endVersion"]["ts"] == answer["ts"]


async def test_a_query_that_fails_as_before_is_left_out() -> None:
    """Its request id is another one at each run, which the real server does not look at."""
    functions = make_functions()

    @functions.query("notes:broken")
    async def broken(ctx: Any) -> None:
        notes = await ctx.db.query("notes").collect()
        raise ConvexError({"code": "FULL" if len(notes) > 1 else "BAD"})

    async with LocalDeployment(functions) as deployment, connected(deployment) as wire:
        await wire.add((1, "notes:list"), (2, "notes:broken"))
        first = await wire.receive()
        changes: list[list[int]] = []
        for number in range(2):
            await wire.send(mutation(number, "notes:add", text="a"))
            answer, transition = await wire.receive(), await wire.receive()
            assert answer["success"]
            changes.append([change["queryId"] for change in transition["modifications"]])
    assert "[Request ID: " in first["modifications"][1]["errorMessage"]
    assert changes == [[1], [1, 2]]


async def test_commits_that_a_slow_reader_misses_become_one_transition(
    deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0
    queries_done = ServerProtocol.queries_done

    def count(self: ServerProtocol[Any], *args: Any, **kwargs: Any) -> None:
        nonlocal made
        made += 1
        queries_done(self, *args, **kwargs)

    monkeypatch.setattr(ServerProtocol, "queries_done", count)
    async with connected(deployment, max_msg_size=0) as wire:
        await wire.add((1, "notes:list"))
        await wire.receive()
        # Nothing is read while results of 3 MB and more are to be sent, which no buffer takes.
        stalled = wire.socket._response.connection
        assert stalled is not None
        assert stalled.protocol is not None
        stalled.protocol.pause_reading()
        for _ in range(12):
            await deployment.run("notes:add", {"text": "x" * 700_000})
        assert made <= 1 + 2 * (MAX_UNSENT_TRANSITIONS + 1) < 12
        stalled.protocol.resume_reading()
        states: list[int] = []
        while not states or states[-1] < 12:
            (change,) = (await wire.receive())["modifications"]
            states.append(len(change["value"]))
        assert states == sorted(set(states))
        assert len(states) < 12


@pytest.mark.parametrize(
    ("path", "header", "in_parts"),
    [
        ("/api/1.48.0/sync", None, True),
        ("/api/1.27.0/sync", None, False),
        ("/api/sync", None, False),
        ("/api/1.48.0/sync", "rust-0.10.4", False),
    ],
)
async def test_long_transitions_are_cut_for_new_npm_clients_alone(
    deployment: LocalDeployment,
    path: str,
    header: str | None,
    in_parts: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convex_async.local.server.faulty_wire.CHUNK_SIZE", 1000)
    text = "é€🙂x" * 200
    await deployment.run("notes:add", {"text": text})
    headers = {} if header is None else {"Convex-Client": header}
    async with connected(deployment, path, headers=headers) as wire:
        await wire.add((1, "notes:list"))
        first = await wire.receive()
        if not in_parts:
            transition = first
        else:
            parts = [first]
            while len(parts) < first["totalParts"]:
                parts.append(await wire.receive())
            assert [part["partNumber"] for part in parts] == list(range(len(parts)))
            assert {part["type"] for part in parts} == {"TransitionChunk"}
            whole = "".join(part["chunk"] for part in parts)
            assert {part["transitionId"] for part in parts} == {str(len(whole.encode()))}
            assert all(900 < len(part["chunk"].encode()) <= 1000 for part in parts[:-1])
            transition = json.loads(whole)
    assert transition["modifications"][0]["value"][0]["text"] == text


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_parts_are_not_cut_within_characters(size: int) -> None:
    text = "aé€🙂" * 3
    pieces = list(cut(text.encode(), size))
    assert "".join(pieces) == text
    assert all(pieces)
    assert all(len(piece.encode()) <= size or len(piece) == 1 for piece in pieces)
