"""What a tracer costs a call: none, one that does nothing, and OpenTelemetry's SDK.

    python -m benches.bench_telemetry

Mutations one after another against a local deployment in the same process; the best of three rounds
each, the ways taking turns. Microseconds a call of the client and the deployment together.
"""

from __future__ import annotations

import asyncio
import sys
import time
import timeit
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from convex_async import ConvexClient
from convex_async.local import Functions, LocalDeployment
from convex_async.telemetry.opentelemetry import OpenTelemetryTracer
from convex_async.telemetry.tracer import Tracer

CALLS, ROUNDS = 1000, 3

functions = Functions()


@functions.mutation("touch")
async def touch(ctx: Any) -> None:
    return None


async def seconds(client: ConvexClient) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await client.mutation("touch")
    return (time.perf_counter() - began) / CALLS


async def main() -> None:
    sdk = OpenTelemetryTracer(TracerProvider(), MeterProvider([InMemoryMetricReader()]))
    tracers: dict[str, Tracer | None] = {"none": None, "does nothing": Tracer(), "SDK": sdk}
    best: dict[str, float] = {}
    async with LocalDeployment(functions) as deployment:
        for _ in range(ROUNDS):
            for name, tracer in tracers.items():
                async with ConvexClient(deployment.url, tracer=tracer) as client:
                    await client.mutation("touch")
                    best[name] = min(best.get(name, 1.0), await seconds(client))
    for name, each in best.items():
        more = (each - best["none"]) * 1e6
        sys.stdout.write(f"{name:<14}{each * 1e6:8.1f} us a call  {more:+8.1f}\n")
    check = "client._tracer is None"
    alone = min(timeit.repeat(check, globals={"client": client}, number=10**6, repeat=5))
    sys.stdout.write(f"the `if` alone {alone * 1e3:8.1f} ns\n")


if __name__ == "__main__":
    asyncio.run(main())
