"""Three 2 s calls from three threads, beside an event loop that wants to beat every 5 ms.

    python benches/bench_blocking.py

PyPI `convex` holds the GIL through each call: its calls run one after another, and no other
thread of the process runs meanwhile. Each client has a process of its own, and the deployment too.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import Any

SECONDS, THREADS = 2.0, 3
BEAT = 0.005


async def serve() -> None:
    """Print a deployment's URL, and serve until stdin ends."""
    from convex_async.local import Functions, LocalDeployment

    functions = Functions()

    @functions.action("slow:sleep")
    async def sleep(ctx: Any, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async with LocalDeployment(functions) as deployment:
        print(deployment.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def measure(module: str, url: str) -> None:
    """Print how long the calls took together, and the longest stall of the loop, in seconds."""
    if module == "convex":
        from convex import ConvexClient
    else:
        from convex_async.sync import ConvexClient  # type: ignore[assignment]
    client: Any = ConvexClient(url)
    client.action("slow:sleep", {"seconds": 0.0})
    stalls: list[float] = []

    async def beat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT)
            stalls.append(time.perf_counter() - before - BEAT)

    async def main() -> float:
        heart = asyncio.create_task(beat())
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        threads = [
            threading.Thread(target=client.action, args=("slow:sleep", {"seconds": SECONDS}))
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
        took = time.perf_counter() - began
        heart.cancel()
        return took

    print(json.dumps({"took": asyncio.run(main()), "stall": max(stalls)}))


def report() -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    print(f"{THREADS} calls of {SECONDS:.0f} s from {THREADS} threads")
    for module in ("convex_async.sync", "convex"):
        ran = subprocess.run(
            [sys.executable, __file__, module, url], stdout=subprocess.PIPE, text=True, check=False
        )
        if ran.returncode:
            print(f"  {module:18} did not run; pip install convex==0.8.1 to compare")
            continue
        found = json.loads(ran.stdout.splitlines()[-1])
        print(
            f"  {module:18} {found['took']:5.2f} s, "
            f"longest stall of the loop {found['stall'] * 1e3:7.1f} ms"
        )
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case [module, url]:
            measure(module, url)
        case _:
            report()
