"""The dashboard's figures belong together at every moment, also while sockets drop."""

from __future__ import annotations

import asyncio
import re

from examples.dashboard.backend import functions
from examples.dashboard.board import boards

from convex_async import ConvexClient
from convex_async.local import LocalDeployment


async def test_what_was_sold_and_what_is_left_is_all_there_was() -> None:
    async with (
        LocalDeployment(functions) as deployment,
        ConvexClient(deployment.url) as client,
        ConvexClient(deployment.url) as shop,
    ):
        await deployment.run("stock:add", {"amount": 30.0})

        async def sell() -> None:
            for number in range(30):
                await shop.mutation("orders:place", {"customer": f"c{number}", "amount": 1})
                if number % 10 == 9:
                    deployment.faults.drop()

        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            group.create_task(sell())
            count = 0
            async for board in boards(client):
                count += 1
                figures = re.match(r"sold (\d+) of (\d+), (\d+) left", board)
                assert figures is not None
                assert figures[2] == "30"
                if figures[3] == "0":
                    break
        assert board.splitlines()[1].split() == ["c29", "1"]
        assert count > 5
