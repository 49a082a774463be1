"""A program with typed calls: a typo in a name is underlined, and refused when it runs.

    convex-async serve examples.generated_api.backend:functions --port 3210
    CONVEX_URL=http://127.0.0.1:3210 python -m examples.generated_api.program Milk Bread

`convex_api.py` beside it was written, and is kept up to date, by:

    convex-async codegen --app examples.generated_api.backend:functions --style msgspec \\
        -o examples/generated_api/convex_api.py
"""

from __future__ import annotations

import asyncio
import sys

from convex_async import ConvexClient
from examples.generated_api.convex_api import TasksDoc, TasksId, api


def line(task: TasksDoc) -> str:
    """A task as it is shown."""
    return f"[{'x' if task.status == 'done' else ' '}] {task.text}"


async def main(texts: list[str]) -> None:
    async with ConvexClient.from_env() as client:
        first: TasksId | None = None
        for text in texts:
            task_id = await client.mutation(api.tasks.create(text=text))
            first = first or task_id
        if first is not None:
            await client.mutation(api.tasks.finish(id=first))
        for task in await client.query(api.tasks.list()):
            print(line(task))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
