"""A terminal that shows a channel's newest messages, and more of them at each Enter.

    convex-async serve examples.live_pages.backend:functions --port 3210
    CONVEX_URL=http://127.0.0.1:3210 python -m examples.live_pages.reader general

Whatever others send, the list stays right: nothing is shown twice, nothing is missing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec

from convex_async import ConvexClient, LivePages


class Message(msgspec.Struct, frozen=True):
    body: str


async def show(pages: LivePages[Message], write: Callable[[str], object]) -> None:
    """Write the list whenever it changes."""
    async for messages in pages:
        lines = [message.body for message in messages]
        write("\n".join([*lines, f"-- {len(lines)} messages, {pages.status}"]) + "\n")


async def load_at_enter(pages: LivePages[Message]) -> None:
    """One more page for each line that is typed, until the input ends."""
    while await asyncio.to_thread(sys.stdin.readline):
        pages.load_more()


async def main(channel: str) -> None:
    async with (
        ConvexClient.from_env() as client,
        client.paginate_live(
            "messages:newest", {"channel": channel}, page_size=10, type=Message
        ) as pages,
    ):
        showing = asyncio.create_task(show(pages, sys.stdout.write))
        await load_at_enter(pages)
        pages.close()
        await showing


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "general"))
