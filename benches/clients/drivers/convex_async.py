"""Drives this package:  convex_async.py asyncio|uvloop URL SCENARIO PARAMS."""

from __future__ import annotations

import sys
import time

began_us = time.monotonic_ns() / 1e3
# First, so that it pays for all it imports; this file's own folder has its name, too.
sys.path.append(sys.path.pop(0))
import aiohttp  # noqa: E402

aiohttp_ms = time.monotonic_ns() / 1e6 - began_us / 1e3
from convex_async import ConvexClient  # noqa: E402

import_ms = time.monotonic_ns() / 1e6 - began_us / 1e3
import asyncio  # noqa: E402

import common  # noqa: E402

assert aiohttp
LOOP = sys.argv[1]
URL, SCENARIO, P = common.arguments()


def flood(client: ConvexClient, **args: object) -> asyncio.Future:
    return asyncio.ensure_future(client.action("bench:flood", args))


async def updates() -> dict:
    client = ConvexClient(URL)
    sub = client.subscribe("bench:value", {"documents": P["documents"]})
    await anext(sub)
    beat = common.Heartbeat()
    if P.get("heartbeat"):
        asyncio.ensure_future(beat.on_loop())
    started = flood(client, n=P["n"])
    cpu, stamps = common.cpu_s(), []
    await asyncio.sleep(0.002)
    beat.reset()
    async for value in sub:
        stamps.append(time.perf_counter())
        if common.is_last(value):
            break
    seconds = (stamps[-1] - stamps[0]) or 1e-9
    result = {
        "updates_per_s": (P["n"] - 1) / seconds,
        "seconds": seconds,
        "sent": P["n"],
        "delivered": len(stamps),
        "cpu_us_per_update": (common.cpu_s() - cpu) / P["n"] * 1e6,
    }
    await started
    return result | ({"longest_stall_ms": beat.ms} if P.get("heartbeat") else {})


async def latency() -> dict:
    client = ConvexClient(URL)
    sub = client.subscribe("bench:value", {"documents": P["documents"]})
    await anext(sub)
    started = flood(client, n=P["n"], interval_ms=P["interval_ms"], document=0)
    cpu, waits = common.cpu_s(), []
    async for value in sub:
        waits.append(common.now_us() - common.marked(value)["t"])
        if common.is_last(value):
            break
    await started
    return {
        "delivered": len(waits),
        "cpu_us_per_update": (common.cpu_s() - cpu) / P["n"] * 1e6,
        **common.spread(waits, "us"),
    }


async def fanout() -> dict:
    client = ConvexClient(URL)
    start = time.perf_counter()
    ready, delivered, spurious, latest = 0, 0, 0, 0.0
    changed = asyncio.Event()

    async def consume(sub) -> None:
        nonlocal ready, delivered, spurious, latest
        await anext(sub)
        ready += 1
        if ready == P["subs"]:
            changed.set()
        seen = 0.0
        async for value in sub:
            if value["t"] == seen or not value["seq"]:
                spurious += 1
                continue
            seen = latest = value["t"]
            delivered += 1
            if delivered >= target:
                changed.set()

    target = P["subs"]
    tasks = [
        asyncio.ensure_future(consume(client.subscribe("bench:value", {"key": float(i)})))
        for i in range(P["subs"])
    ]
    await changed.wait()
    setup = time.perf_counter() - start
    waits, target = [], 0
    per_round = 1 if P.get("which") == "one" else P["subs"]
    cpu = common.cpu_s()
    for _ in range(P["rounds"]):
        changed.clear()
        target = delivered + per_round
        started = flood(client, n=1, which=P.get("which", "all"))
        await changed.wait()
        waits.append((common.now_us() - latest) / 1e3)
        await started
    for task in tasks:
        task.cancel()
    return {
        "setup_s": setup,
        "cpu_ms_per_round": (common.cpu_s() - cpu) * 1e3 / P["rounds"],
        "spurious_per_round": spurious / P["rounds"],
        **common.spread(waits, "deliver_ms"),
    }


async def requests() -> dict:
    client = ConvexClient(URL)
    call = client.mutation if P.get("kind", "mutation") == "mutation" else client.action
    await call("bench:echo", {"warm": True})
    waits: list[float] = []
    numbers = iter(range(P["n"]))

    async def worker() -> None:
        for i in numbers:
            start = time.perf_counter()
            await call("bench:echo", {"author": "user_1", "body": "a short message", "n": float(i)})
            waits.append((time.perf_counter() - start) * 1e6)

    cpu, start = common.cpu_s(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(P["in_flight"])))
    seconds = time.perf_counter() - start
    return {
        "per_s": P["n"] / seconds,
        "cpu_us_each": (common.cpu_s() - cpu) / P["n"] * 1e6,
        **common.spread(waits, "us"),
    }


async def startup() -> dict:
    client = ConvexClient(URL)
    await client.query("bench:value")
    now = time.monotonic_ns() / 1e3
    return {
        "aiohttp_ms": aiohttp_ms,
        "import_ms": import_ms,
        "beyond_aiohttp_ms": import_ms - aiohttp_ms,
        "interpreter_ms": (began_us - P["spawned_us"]) / 1e3,
        "first_result_ms": (now - P["spawned_us"]) / 1e3,
        "first_after_imports_ms": (now - began_us) / 1e3 - import_ms,
    }


async def memory() -> dict:
    imported = common.rss_mb()
    client = ConvexClient(URL)
    await anext(client.subscribe("bench:value", {"key": -1.0}))
    connected = common.rss_mb()
    subs = [client.subscribe("bench:value", {"key": float(i)}) for i in range(P["subs"])]
    for sub in subs:
        await anext(sub)
    await asyncio.sleep(1.0)
    full = common.rss_mb()
    cpu, start = common.cpu_s(), time.perf_counter()
    await asyncio.sleep(P["idle_s"])
    return {
        "imported_mb": imported,
        "connected_mb": connected,
        "subscribed_mb": full,
        "kb_per_sub": (full - connected) * 1e3 / len(subs),
        "idle_cpu_pct": (common.cpu_s() - cpu) / (time.perf_counter() - start) * 100,
    }


async def stall() -> dict:
    client = ConvexClient(URL)
    await client.query("bench:value")
    beat = common.Heartbeat()
    asyncio.ensure_future(beat.on_loop())
    figures = {}
    for name, call in (("query", client.query), ("mutation", client.mutation)):
        await asyncio.sleep(0.02)
        beat.reset()
        await call("bench:echo", {"ms": float(P["ms"])})
        figures[f"{name}_stall_ms"] = beat.ms
    return figures


if __name__ == "__main__":
    if LOOP == "uvloop":
        import uvloop

        common.report(uvloop.run(globals()[SCENARIO]()))
    common.report(asyncio.run(globals()[SCENARIO]()))
