"""Spans, metrics and logs as OpenTelemetry's own SDK has them."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from convex_async import AuthError, ConvexClient, ConvexError
from convex_async.local import LocalDeployment

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from convex_async.telemetry.opentelemetry import ConvexInstrumentor

ROOT = Path(__file__).parents[2]


class Collected:
    """What an application's SDK has collected."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.spans = TracerProvider()
        self.spans.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])

    def metric(self, name: str) -> Any:
        """The sum of a metric over its attributes, or the count of a histogram."""
        data = self.reader.get_metrics_data()
        assert data is not None
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        points: list[Any] = list(metric.data.data_points)
                        return sum(
                            point.value if hasattr(point, "value") else point.count
                            for point in points
                        )
        return 0


@pytest.fixture
def collected() -> Iterator[Collected]:
    collected = Collected()
    instrumentor = ConvexInstrumentor()
    instrumentor.instrument(
        tracer_provider=collected.spans, meter_provider=collected.meters, log_lines=True
    )
    yield collected
    instrumentor.uninstrument()
    collected.meters.shutdown()


async def test_a_call_is_a_client_span_under_its_caller(
    deployment: LocalDeployment, collected: Collected
) -> None:
    async with ConvexClient(deployment.url, close_timeout=0.5) as client:
        await client.connect()
        with collected.spans.get_tracer("app").start_as_current_span("request") as parent:
            await client.mutation("notes:add", {"text": "a"})
            assert trace.get_current_span() is parent
        with pytest.raises(ConvexError) as caught:
            await client.mutation("notes:add", {"text": ""})
    good, _, failed = collected.exporter.get_finished_spans()
    assert good.name == "notes:add"
    assert good.kind is trace.SpanKind.CLIENT
    assert good.parent is not None
    assert good.parent.span_id == parent.get_span_context().span_id
    attributes = dict(good.attributes or {})
    request_id = attributes.pop("convex.request_id")
    assert len(str(request_id)) == 16
    port = int(deployment.url.rsplit(":", 1)[1])
    assert attributes == {
        "rpc.system.name": "convex",
        "rpc.method": "notes:add",
        "server.address": "127.0.0.1",
        "server.port": port,
        "convex.kind": "mutation",
    }
    assert [(event.name, dict(event.attributes or {})) for event in good.events] == [
        ("convex.log", {"log.line": "[LOG] 'adding a'"})
    ]
    assert failed.parent is None
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert "EMPTY" not in failed.to_json()
    failures = dict(failed.attributes or {})
    assert failures["error.type"] == "ConvexError"
    assert failures["convex.request_id"] == caught.value.request_id
    assert collected.metric("rpc.client.call.duration") == 2


async def test_what_is_logged_during_a_call_belongs_to_its_span(
    deployment: LocalDeployment, collected: Collected
) -> None:
    ids: list[int] = []

    class Correlated(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "notes:add" in record.getMessage():
                ids.append(trace.get_current_span().get_span_context().span_id)

    logger, handler = logging.getLogger("convex_async"), Correlated()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        async with ConvexClient(deployment.url, close_timeout=0.5) as client:
            await client.mutation("notes:add", {"text": "a"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    (span,) = collected.exporter.get_finished_spans()
    assert span.context is not None
    assert ids == [span.context.span_id]


async def test_reconnects_refused_tokens_and_slow_consumers_are_seen(
    deployment: LocalDeployment, collected: Collected
) -> None:
    async with ConvexClient(deployment.url, close_timeout=0.5) as client:
        notes = client.subscribe("notes:list")
        assert await anext(notes) == []
        assert collected.metric("convex.client.subscriptions") == 1
        deployment.faults.drop_after_commit = 1
        await client.mutation("notes:add", {"text": "a"})
        await client.mutation("notes:add", {"text": "b"})
        client.set_auth("no.good.token")
        with pytest.raises(AuthError):
            await client.query("notes:list")
    events = [event.name for event in collected.exporter.get_finished_spans()[0].events]
    assert events[:2] == ["convex.disconnected", "convex.connected"]
    assert collected.metric("convex.client.reconnects") >= 1
    assert collected.metric("convex.client.updates") == 3
    assert collected.metric("convex.client.skipped_updates") == 1
    assert collected.metric("convex.client.refused_tokens") == 1
    assert collected.metric("convex.client.subscriptions") == 0
    assert collected.metric("convex.client.pending_requests") == 0


async def test_an_uninstrumented_client_tells_nothing(
    deployment: LocalDeployment, collected: Collected
) -> None:
    ConvexInstrumentor().uninstrument()
    async with ConvexClient(deployment.url, close_timeout=0.5) as client:
        await client.query("notes:list")
    assert collected.exporter.get_finished_spans() == ()


def test_the_entry_point_leads_to_the_instrumentor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (target,) = project["entry-points"]["opentelemetry_instrumentor"].values()
    module, name = target.split(":")
    assert getattr(import_module(module), name) is ConvexInstrumentor
