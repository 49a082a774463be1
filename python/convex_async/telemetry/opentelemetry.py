"""OpenTelemetry: spans for calls, metrics for what is live. Needs the extra `[opentelemetry]`."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context, metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from convex_async.telemetry.tracer import CallEnd, TracedCall, Tracer, set_default_tracer
from convex_async.version import __version__

NAME = "convex_async"
# OpenTelemetry's advice for durations of calls, in seconds.
BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]


class OpenTelemetryTracer(Tracer):
    """Makes of each call a client span, and of what is live metrics.

    Names are those of OpenTelemetry's semantic conventions for RPC where it has any, else begin
    with `convex.`. A subscription has no span: it has no end.

    Args:
        tracer_provider, meter_provider: the global ones, if not given.
        log_lines: add what functions logged to their spans, as events.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        *,
        log_lines: bool = False,
    ) -> None:
        self._tracer = trace.get_tracer(NAME, __version__, tracer_provider)
        meter = metrics.get_meter(NAME, __version__, meter_provider)
        self._log_lines = log_lines
        self._open: dict[str, set[Span]] = {}
        self._duration = meter.create_histogram(
            "rpc.client.call.duration",
            unit="s",
            description="Duration of calls of functions",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )
        self._pending = meter.create_up_down_counter(
            "convex.client.pending_requests",
            unit="{request}",
            description="Calls without an answer",
        )
        self._live = meter.create_up_down_counter(
            "convex.client.subscriptions", unit="{subscription}", description="Live subscriptions"
        )
        self._updates = meter.create_counter(
            "convex.client.updates", unit="{update}", description="New states of subscriptions"
        )
        self._bytes = meter.create_counter(
            "convex.client.update.size", unit="By", description="Bytes of these states"
        )
        self._skipped = meter.create_counter(
            "convex.client.skipped_updates",
            unit="{update}",
            description="States that slow consumers never saw",
        )
        self._reconnects = meter.create_counter(
            "convex.client.reconnects", unit="{connection}", description="Sockets after the first"
        )
        self._failures = meter.create_counter(
            "convex.client.connect_failures",
            unit="{attempt}",
            description="Sockets that could not be opened",
        )
        self._refused = meter.create_counter(
            "convex.client.refused_tokens", unit="{token}", description="Tokens that were refused"
        )

    def call_started(self, call: TracedCall) -> Any:
        attributes = _of_call(call)
        span = self._tracer.start_span(
            call.path, kind=SpanKind.CLIENT, attributes={**attributes, "convex.kind": call.kind}
        )
        # Current meanwhile, so that what is logged during the call belongs to it.
        token = context.attach(set_span_in_context(span))
        self._open.setdefault(call.url, set()).add(span)
        self._pending.add(1, _of_server(call.url))
        return span, token, attributes, time.perf_counter()

    def call_ended(self, started: Any, call: TracedCall, end: CallEnd) -> None:
        span, token, attributes, began = started
        seconds = time.perf_counter() - began
        with suppress(ValueError):  # the call was closed in another context than it began in
            context.detach(token)
        self._open[call.url].discard(span)
        self._pending.add(-1, _of_server(call.url))
        if end.request_id is not None:
            span.set_attribute("convex.request_id", end.request_id)
        if self._log_lines:
            for line in end.log_lines:
                span.add_event("convex.log", {"log.line": line})
        if end.error is not None:
            kind = type(end.error).__qualname__
            attributes = {**attributes, "error.type": kind}
            span.set_attribute("error.type", kind)
            # Without the error's text, which may have what the application threw.
            span.set_status(Status(StatusCode.ERROR, kind))
        span.end()
        self._duration.record(seconds, attributes)

    def connected(self, url: str, count: int) -> None:
        if count > 1:
            self._reconnects.add(1, _of_server(url))
        self._tell_open(url, "convex.connected", {"convex.connection_count": count})

    def disconnected(self, url: str, reason: str) -> None:
        self._tell_open(url, "convex.disconnected", {"convex.close_reason": reason})

    def connect_failed(self, url: str, reason: str) -> None:
        self._failures.add(1, _of_server(url))
        self._tell_open(url, "convex.connect_failed", {"convex.close_reason": reason})

    def token_refused(self, url: str, message: str, *, is_final: bool) -> None:
        self._refused.add(1, {**_of_server(url), "convex.final": is_final})
        self._tell_open(url, "convex.token_refused", {"convex.final": is_final})

    def subscribed(self, url: str, path: str) -> None:
        self._live.add(1, {**_of_server(url), "rpc.method": path})

    def unsubscribed(self, url: str, path: str) -> None:
        self._live.add(-1, {**_of_server(url), "rpc.method": path})

    def updated(self, url: str, path: str, size: int) -> None:
        attributes = {**_of_server(url), "rpc.method": path}
        self._updates.add(1, attributes)
        self._bytes.add(size, attributes)

    def skipped(self, url: str, path: str) -> None:
        self._skipped.add(1, {**_of_server(url), "rpc.method": path})

    def _tell_open(self, url: str, event: str, attributes: dict[str, Any]) -> None:
        """An event of the connection belongs to all calls that wait for an answer."""
        for span in self._open.get(url, ()):
            span.add_event(event, attributes)


class ConvexInstrumentor(BaseInstrumentor):
    """Instruments the clients that are made after `ConvexInstrumentor().instrument()`.

    Options of `instrument` are those of `OpenTelemetryTracer`. A client that is given a tracer of
    its own keeps that.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        return ["convex-async >= 0.1"]

    def _instrument(self, **options: Any) -> None:
        known = ("tracer_provider", "meter_provider", "log_lines")
        set_default_tracer(
            OpenTelemetryTracer(**{name: options[name] for name in known if name in options})
        )

    def _uninstrument(self, **options: Any) -> None:
        set_default_tracer(None)


def _of_call(call: TracedCall) -> dict[str, Any]:
    return {"rpc.system.name": "convex", "rpc.method": call.path, **_of_server(call.url)}


def _of_server(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname or "", "server.port": port}
