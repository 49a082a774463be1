"""A tracer is told each fact, once, and what it does wrong harms nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from convex_async import AuthError, ConvexClient, ConvexError, ConvexHttpClient
from convex_async.local import LocalDeployment
from convex_async.telemetry.tracer import CallEnd, TracedCall, Tracer, set_default_tracer


class Recorder(Tracer):
    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.ends: list[CallEnd] = []

    def call_started(self, call: TracedCall) -> Any:
        self.facts.append(("started", call.kind, call.path))
        return len(self.facts)

    def call_ended(self, started: Any, call: TracedCall, end: CallEnd) -> None:
        self.facts.append(("ended", call.kind, type(end.error).__name__))
        self.ends.append(end)

    def connected(self, url: str, count: int) -> None:
        self.facts.append(("connected", count))

    def disconnected(self, url: str, reason: str) -> None:
        self.facts.append(("disconnected",))

    def connect_failed(self, url: str, reason: str) -> None:
        self.facts.append(("failed",))

    def token_refused(self, url: str, message: str, *, is_final: bool) -> None:
        self.facts.append(("refused", is_final))

    def subscribed(self, url: str, path: str) -> None:
        self.facts.append(("subscribed", path))

    def unsubscribed(self, url: str, path: str) -> None:
        self.facts.append(("unsubscribed", path))

    def updated(self, url: str, path: str, size: int) -> None:
        self.facts.append(("updated", path, size > 0))

    def skipped(self, url: str, path: str) -> None:
        self.facts.append(("skipped", path))

    def of(self, kind: str) -> list[Any]:
        return [fact for fact in self.facts if fact[0] == kind]


async def test_calls_are_told_of_from_their_beginning_to_their_end(
    deployment: LocalDeployment,
) -> None:
    recorder = Recorder()
    async with ConvexClient(deployment.url, tracer=recorder, close_timeout=0.5) as client:
        assert await client.query("notes:list") == []
        await client.mutation("notes:add", {"text": "a"})
        with pytest.raises(ConvexError) as caught:
            await client.mutation("notes:add", {"text": ""})
        await client.action("notes:echo", {"value": 1})
        assert (await client.with_details.mutation("notes:touch")).value is None
        waiting = asyncio.create_task(client.action("notes:echo", {"value": 1}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    calls = [fact for fact in recorder.facts if fact[0] in ("started", "ended")]
    assert calls == [
        ("started", "query", "notes:list"),
        ("ended", "query", "NoneType"),
        ("started", "mutation", "notes:add"),
        ("ended", "mutation", "NoneType"),
        ("started", "mutation", "notes:add"),
        ("ended", "mutation", "ConvexError"),
        ("started", "action", "notes:echo"),
        ("ended", "action", "NoneType"),
        ("started", "mutation", "notes:touch"),
        ("ended", "mutation", "NoneType"),
        ("started", "action", "notes:echo"),
        ("ended", "action", "CancelledError"),
    ]
    assert recorder.ends[1].log_lines == ("[LOG] 'adding a'",)
    assert len(str(recorder.ends[1].request_id)) == 16
    assert recorder.ends[2].request_id == caught.value.request_id
    assert recorder.of("connected") == [("connected", 1)]
    assert recorder.of("subscribed") == []  # a query that is asked once is none


async def test_a_reconnect_and_a_refused_token_are_seen(deployment: LocalDeployment) -> None:
    recorder = Recorder()
    async with ConvexClient(deployment.url, tracer=recorder, close_timeout=0.5) as client:
        await client.connect()
        deployment.faults.drop()
        await client.mutation("notes:touch")
        assert recorder.facts == [
            ("connected", 1),
            ("started", "mutation", "notes:touch"),
            ("disconnected",),
            ("connected", 2),
            ("ended", "mutation", "NoneType"),
        ]
        client.set_auth("no.good.token")
        with pytest.raises(AuthError):
            await client.query("notes:list")
        assert recorder.of("refused") == [("refused", True)]
    deployment.faults.refuse_upgrades = 503
    async with ConvexClient(deployment.url, tracer=recorder, close_timeout=0) as client:
        with pytest.raises(ConnectionError):
            await client.connect()
    assert recorder.of("failed") == [("failed",)]


async def test_subscriptions_their_updates_and_what_a_slow_consumer_skips(
    deployment: LocalDeployment,
) -> None:
    recorder = Recorder()
    async with ConvexClient(deployment.url, tracer=recorder, close_timeout=0.5) as client:
        notes = client.subscribe("notes:list")
        all_of_it = client.subscribe("notes:list", buffer=10)
        view = client.subscribe_all({"notes": "notes:list"})
        assert await anext(notes) == []
        assert await view.get() == {"notes": []}
        for text in "abc":  # nobody looks
            await client.mutation("notes:add", {"text": text})
        assert len(recorder.of("updated")) == 12
        assert recorder.of("skipped") == [("skipped", "notes:list")] * 4
        assert len(await anext(notes)) == 3
        await client.mutation("notes:add", {"text": "d"})
        assert len(await anext(notes)) == 4
        skipped_by_notes = 2
        assert len(recorder.of("skipped")) == skipped_by_notes + 3  # and by the view
        assert len([await anext(all_of_it) for _ in range(5)]) == 5
        assert len(recorder.of("subscribed")) == 3
        assert recorder.of("unsubscribed") == []
        all_of_it.close()
        await client.mutation("notes:touch")
        assert len(recorder.of("unsubscribed")) == 1
        kept = notes, view
    assert len(recorder.of("unsubscribed")) == 3
    del kept


async def test_http_calls_are_told_of(deployment: LocalDeployment) -> None:
    recorder = Recorder()
    async with ConvexHttpClient(deployment.url, tracer=recorder) as client:
        view = client.with_auth(None)
        await view.query("notes:list")
        await client.mutation("notes:add", {"text": "a"})
        with pytest.raises(ConvexError):
            await client.mutation("notes:add", {"text": ""})
        await client.action("notes:echo", {"value": 1})
    assert [fact[1:] for fact in recorder.of("ended")] == [
        ("query", "NoneType"),
        ("mutation", "NoneType"),
        ("mutation", "ConvexError"),
        ("action", "NoneType"),
    ]


async def test_a_tracer_that_fails_harms_nobody(
    deployment: LocalDeployment, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Tracer):
        def __getattribute__(self, name: str) -> Any:
            def broken(*args: Any, **options: Any) -> None:
                raise ZeroDivisionError(name)

            return broken

    set_default_tracer(Broken())
    try:
        client = ConvexClient(deployment.url, close_timeout=0.5)
    finally:
        set_default_tracer(None)
    async with client:
        notes = client.subscribe("notes:list")
        assert await anext(notes) == []
        await client.mutation("notes:add", {"text": "a"})
        assert len(await anext(notes)) == 1
    told = {record.exc_info[1].args[0] for record in caplog.records if record.exc_info}  # type: ignore[union-attr]
    assert told >= {"connected", "subscribed", "updated", "call_started", "call_ended"}
