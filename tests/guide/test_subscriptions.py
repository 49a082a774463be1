"""The guide: "Real-time subscriptions"."""

from __future__ import annotations

import asyncio

from convex_async import ConvexClient


async def test_the_basic_pattern(client: ConvexClient) -> None:
    seen = []
    async for tasks in client.subscribe("tasks:list"):
        seen.append([task["text"] for task in tasks])
        if len(tasks) == 2:
            break
        await client.mutation("tasks:create", {"text": f"task {len(tasks)}"})
    assert seen == [[], ["task 0"], ["task 1", "task 0"]]


async def test_arguments(client: ConvexClient) -> None:
    async with client.subscribe("messages:byChannel", {"channel": "general"}) as messages:
        assert await messages.get() == []
        await client.mutation("messages:send", {"body": "elsewhere", "channel": "other"})
        await client.mutation("messages:send", {"body": "here"})
        channel = await messages.until(lambda found: len(found) > 0)
        assert [message["body"] for message in channel] == ["here"]


async def test_breaking_out(client: ConvexClient) -> None:
    async def watch() -> int:
        async for users in client.subscribe("presence:online"):
            if len(users) == 2:
                return len(users)
        raise AssertionError

    watcher = asyncio.create_task(watch())
    for name in ("Ada", "Grace"):
        await client.mutation("presence:enter", {"name": name})
    assert await watcher == 2
    # Ctrl-C cancels the main task: the same as this.
    forever = asyncio.create_task(watch_forever(client))
    await asyncio.sleep(0)
    forever.cancel()
    assert isinstance((await asyncio.gather(forever, return_exceptions=True))[0], BaseException)


async def watch_forever(client: ConvexClient) -> None:
    async for _ in client.subscribe("messages:list"):
        pass


async def test_only_what_depends_on_a_change_runs_again(client: ConvexClient) -> None:
    async with (
        client.subscribe("tasks:list") as tasks,
        client.subscribe("logs:getAll") as logs,
    ):
        assert await anext(tasks) == await anext(logs) == []
        await client.mutation("logs:write", {"text": "a"})
        assert [log["text"] for log in await anext(logs)] == ["a"]
        await client.mutation("tasks:create", {"text": "b"})
        # The next state of tasks is the one with the task: the log caused none.
        assert [task["text"] for task in await anext(tasks)] == ["b"]


async def test_only_what_changed(client: ConvexClient) -> None:
    first = await client.mutation("tasks:create", {"text": "first"})
    async with client.subscribe("tasks:list") as tasks:
        changes = tasks.changes()
        assert [task["text"] for task in (await anext(changes)).inserted] == ["first"]
        await client.mutation("tasks:complete", {"id": first})
        change = await anext(changes)
        assert [task["_id"] for task in change.updated] == [first]
        assert change.inserted == []
        await client.mutation("tasks:delete", {"id": first})
        assert list((await anext(changes)).deleted) == [first]
