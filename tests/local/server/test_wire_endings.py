"""What ends a socket, and how the client is told: a last message, and a code with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from convex_async.local import LocalDeployment
from convex_async.local.engine.engine import Engine
from convex_async.local.problems import CONSEQUENCES, Category, DeploymentProblem
from tests.integration.backend import make_functions
from tests.local.wire import CONNECT, SESSION, Wire, connected, modify, mutation

NO_STATUS = (0, "")
INTERNAL = (1011, "InternalServerError")


@pytest.fixture
async def deployment() -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment(make_functions()) as deployment:
        yield deployment


@pytest.fixture
async def wire(deployment: LocalDeployment) -> AsyncIterator[Wire]:
    async with connected(deployment) as wire:
        yield wire


def add(path: str = "notes:list", **more: Any) -> dict[str, Any]:
    return {"type": "Add", "queryId": 1, "udfPath": path, "args": [{}], **more}


def authenticate(**fields: Any) -> dict[str, Any]:
    return {"type": "Authenticate", "baseVersion": 0, **fields}


UNREADABLE: dict[str, dict[str, Any] | str] = {
    "no JSON": "nonsense",
    "not a number": '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[NaN]}',
    "a lone surrogate": '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":["\\ud800"]}',
    "no such type": {"type": "Hello"},
    "no type": {"sessionId": SESSION},
    "a fraction for an integer": {**mutation(0, "a:b"), "requestId": 1.0},
    "a negative id": {**mutation(0, "a:b"), "requestId": -1},
    "no args": {"type": "Action", "requestId": 0, "udfPath": "a:b"},
    "a session that is no UUID": {**CONNECT, "sessionId": "me"},
    "no connection count": {"type": "Connect", "sessionId": SESSION},
    "a timestamp of 7 bytes": {**CONNECT, "maxObservedTimestamp": "AAAAAAAAAA=="},
    "a negative timestamp": {**CONNECT, "maxObservedTimestamp": "//////////8="},
    "a clock with a fraction": {**CONNECT, "clientTs": 1.5},
    "a path with a hyphen": mutation(0, "my-notes:add"),
    "a path with an extension": {**mutation(0, "notes.ts:add"), "type": "Action"},
    "no path": modify(0, add("")),
    "no such change": modify(0, {"type": "Replace", "queryId": 1}),
    "no such token type": authenticate(tokenType="Guest"),
    "no token": authenticate(tokenType="User"),
    "no event": {"type": "Event", "eventType": "ClientConnect"},
}


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_message_that_cannot_be_read_is_fatal(
    wire: Wire, message: dict[str, Any] | str
) -> None:
    await wire.send(message)
    error = await wire.receive()
    assert error["type"] == "FatalError"
    assert error["error"].startswith("Received Invalid JSON on websocket: ")
    assert await wire.closed() == NO_STATUS


READABLE: dict[str, dict[str, Any]] = {
    "unknown fields": {**CONNECT, "more": [1]},
    "a session in another spelling": {**CONNECT, "sessionId": SESSION.replace("-", "").upper()},
    "an empty close reason": {**CONNECT, "lastCloseReason": None, "clientTs": None},
    "an unknown event": {"type": "Event", "eventType": "Lunch", "event": None},
    "a path with its extension": modify(0, add("notes.js:list")),
    "no arguments of a query": modify(0, {"type": "Add", "queryId": 1, "udfPath": "notes:list"}),
}


@pytest.mark.parametrize("message", READABLE.values(), ids=READABLE)
async def test_what_the_server_reads_does_no_harm(wire: Wire, message: dict[str, Any]) -> None:
    await wire.send(message, mutation(0, "notes:touch"))
    kinds = {(await wire.receive())["type"] for _ in range(2)}
    assert "MutationResponse" in kinds
    assert kinds <= {"MutationResponse", "Transition"}


async def test_a_binary_frame_ends_the_socket(wire: Wire) -> None:
    await wire.socket.send_bytes(b"{}")
    assert await wire.closed() == INTERNAL


async def test_a_wrong_base_version_is_fatal(wire: Wire) -> None:
    await wire.send(modify(3))
    text = "Base version 3 passed up doesn't match the current version 0"
    assert (await wire.receive())["error"] == text
    assert await wire.closed() == NO_STATUS


MISUSES: dict[str, list[dict[str, Any]]] = {
    "a version that does not grow": [{**modify(0), "newVersion": 0}],
    "an id that is active": [modify(0, add(), add())],
    "an id that is not": [modify(0, {"type": "Remove", "queryId": 1})],
    "a wrong version of the identity": [authenticate(tokenType="None") | {"baseVersion": 4}],
    "a later state than there is": [{**CONNECT, "maxObservedTimestamp": "/////////38="}],
    "a component without being an admin": [{**mutation(0, "a:b"), "componentPath": "waitlist"}],
}


@pytest.mark.parametrize("messages", MISUSES.values(), ids=MISUSES)
async def test_misuse_of_versions_and_ids_ends_the_socket(
    wire: Wire, messages: list[dict[str, Any]]
) -> None:
    await wire.send(*messages)
    assert await wire.closed() == INTERNAL


async def test_a_query_id_is_free_once_it_is_removed(wire: Wire) -> None:
    await wire.send(modify(0, add(), {"type": "Remove", "queryId": 1}, add("users:me")))
    (change,) = (await wire.receive())["modifications"]
    assert (change["type"], change["value"]) == ("QueryUpdated", None)


async def test_the_root_component_may_be_named(deployment: LocalDeployment, wire: Wire) -> None:
    await wire.send({**mutation(0, "notes:touch"), "componentPath": ""})
    assert (await wire.receive())["success"]
    key = authenticate(tokenType="Admin", value=deployment.admin_key)
    await wire.receive()  # the transition after the mutation
    await wire.send(key, {**mutation(1, "notes:touch"), "componentPath": "waitlist"})
    answers = [await wire.receive() for _ in range(2)]
    (failed,) = [answer for answer in answers if answer["type"] == "MutationResponse"]
    assert (failed["success"], failed["ts"]) == (False, None)
    assert "waitlist" in failed["result"]


ENDINGS: dict[Category, tuple[str | None, tuple[int, str]]] = {
    "BadRequest": ("FatalError", NO_STATUS),
    "Forbidden": ("FatalError", (1000, "Oops")),
    "NotFound": (None, (1000, "Oops")),
    "ClientDisconnect": (None, (1000, "Oops")),
    "RateLimited": (None, (1013, "Oops")),
    "Overloaded": (None, (1013, "Oops")),
    "OCC": (None, (1013, "Oops")),
    "OutOfRetention": (None, (1013, "InternalServerError")),
    "Internal": (None, (1011, "Oops")),
}


@pytest.mark.parametrize("category", ENDINGS)
async def test_a_problem_of_the_deployment_ends_the_socket_by_its_category(
    wire: Wire, category: Category, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise DeploymentProblem(category, "Oops", "it went wrong")

    monkeypatch.setattr(Engine, "mutation", fail)
    await wire.send(mutation(0, "notes:touch"))
    last_words, closing = ENDINGS[category]
    if last_words is not None:
        assert await wire.receive() == {"type": last_words, "error": "it went wrong"}
    assert await wire.closed() == closing


def test_every_category_has_its_ending() -> None:
    assert ENDINGS.keys() | {"Unauthenticated"} == CONSEQUENCES.keys()


async def test_an_error_of_our_own_ends_the_socket_and_is_logged(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Engine, "mutation", fail)
    await wire.send(mutation(0, "notes:touch"))
    assert await wire.closed() == INTERNAL
    assert "ZeroDivisionError" in caplog.text


async def test_a_mutation_without_end_ends_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convex_async.local.server.sync_work.MUTATION_TIMEOUT", 0.01)
    functions = make_functions()

    @functions.mutation("notes:hang")
    async def hang(ctx: Any) -> None:
        await asyncio.Event().wait()

    async with LocalDeployment(functions) as deployment, connected(deployment) as wire:
        await wire.send(mutation(0, "notes:hang"))
        assert await wire.closed() == INTERNAL


async def test_a_close_of_the_client_is_answered(wire: Wire, deployment: LocalDeployment) -> None:
    await wire.send(mutation(0, "notes:touch"))
    await wire.receive()
    await wire.socket.close(code=1000)
    assert wire.socket.close_code == 1000
