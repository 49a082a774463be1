"""Calls, a live query and a reconnect, with spans and metrics on the console.

    python -m examples.telemetry.traced

It needs the extras `[local,opentelemetry]` and the package `opentelemetry-sdk`; in place of the
console exporters take those of your collector.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from convex_async import ConvexClient, ConvexError
from convex_async.local import Functions, LocalDeployment
from convex_async.telemetry.opentelemetry import ConvexInstrumentor

functions = Functions()


@functions.query("notes:list")
async def list_notes(ctx: Any) -> Any:
    return await ctx.db.query("notes").collect()


@functions.mutation("notes:add")
async def add_note(ctx: Any, text: str) -> None:
    if not text:
        raise ConvexError({"code": "EMPTY"})
    await ctx.db.insert("notes", {"text": text})


async def main() -> None:
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)))
    metrics = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stdout))])
    ConvexInstrumentor().instrument(tracer_provider=spans, meter_provider=metrics)
    try:
        async with (
            LocalDeployment(functions) as deployment,
            ConvexClient(deployment.url) as client,
            client.subscribe("notes:list") as notes,
        ):
            await notes.get()
            with spans.get_tracer("example").start_as_current_span("a request of a user"):
                await client.mutation("notes:add", {"text": "traced"})
                deployment.faults.drop_after_commit = 1
                await client.mutation("notes:add", {"text": "over a reconnect"})
                try:
                    await client.mutation("notes:add", {"text": ""})
                except ConvexError as error:
                    sys.stderr.write(f"refused: {error.data}\n")
    finally:
        ConvexInstrumentor().uninstrument()
        metrics.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
