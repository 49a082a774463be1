"""A worker that answers prompts, as one would call a model or a payment provider.

    convex-async serve examples.worker.backend:functions --port 3210
    CONVEX_URL=http://127.0.0.1:3210 python -m examples.worker.work

Start as many as you like, on any number of machines. SIGTERM and Ctrl-C let each finish what it
has begun; of one that is killed, the jobs go to the others when their claims have lapsed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any

from convex_async import ConvexClient, Worker


async def answer(job: dict[str, Any]) -> str:
    """The work itself."""
    prompt = job["payload"]["prompt"]
    await asyncio.sleep(job["payload"].get("seconds", 0))
    if not prompt:
        raise ValueError("the prompt is empty")
    return f"{prompt}!"


async def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    async with ConvexClient.from_env() as client:
        worker = Worker(
            client,
            ready="jobs:ready",
            claim="jobs:claim",
            run=answer,
            complete="jobs:complete",
            fail="jobs:fail",
            heartbeat="jobs:heartbeat",
            heartbeat_interval=float(os.environ.get("HEARTBEAT", "10")),
        )
        await worker.run()
        sys.stdout.write(f"{worker.completed} done, {worker.failed} failed, {worker.lost} lost\n")


if __name__ == "__main__":
    asyncio.run(main())
