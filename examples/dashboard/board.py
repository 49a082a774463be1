"""A dashboard over three queries, whose figures are always of one moment.

    convex-async serve examples.dashboard.backend:functions --port 3210
    CONVEX_URL=http://127.0.0.1:3210 python -m examples.dashboard.board

What was sold and what is left come from two queries. With two subscriptions there would be moments
at which an order counts in one and not yet in the other; here their sum is what was ever in stock.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from convex_async import ConvexClient


class Order(msgspec.Struct, frozen=True):
    customer: str
    amount: float


QUERIES: dict[str, Any] = {
    "orders": ("orders:recent", {"count": 5}, list[Order]),
    "sold": ("orders:sold", {}, float),
    "left": ("stock:left", {}, float),
}


async def boards(client: ConvexClient) -> AsyncIterator[str]:
    """The board as text, whenever any of its figures has changed."""
    async with client.subscribe_all(QUERIES) as view:
        async for values in view:
            lines = [f"{order.customer:<12}{order.amount:>8.0f}" for order in values["orders"]]
            total = values["sold"] + values["left"]
            figures = f"sold {values['sold']:.0f} of {total:.0f}, {values['left']:.0f} left"
            yield "\n".join([figures, *lines])


async def main() -> None:
    async with ConvexClient.from_env() as client:
        async for board in boards(client):
            sys.stdout.write(board + "\n\n")


if __name__ == "__main__":
    asyncio.run(main())
