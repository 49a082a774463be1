"""`convex-async demo`: the main job in a few seconds, each step checked as it is told."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from convex_async import ConvexClient, ConvexError, Subscription, api
from convex_async.cli.chat import functions
from convex_async.codec.values import decode
from convex_async.local import LocalDeployment

T = TypeVar("T")

# Seconds after which a step has failed.
PATIENCE = 20.0
STORM = 40

# What the PyPI client runs, in a process of its own: it would block this one's event loop.
OFFICIAL = """
import sys
from convex import ConvexClient
ConvexClient(sys.argv[1]).mutation("chat:send", {"author": "Olga", "body": sys.argv[2]})
"""


class StepFailed(Exception):
    """Something did not happen as it was told."""


def check(happened: object, what: str) -> None:
    """Raise `StepFailed` unless it happened."""
    if not happened:
        raise StepFailed(what)


@click.command()
def command() -> None:
    """Show live queries, mutations, errors and a reconnect against a local deployment."""
    console = Console(highlight=False)
    try:
        asyncio.run(Demo(console).run())
    except (StepFailed, TimeoutError) as error:
        console.print(f"[bold red]✗ The demo failed:[/] {escape(str(error) or 'it took too long')}")
        sys.exit(1)


class Demo:
    """The steps, on one deployment with two clients."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.updates: int = 0
        self.slowest_ms: float = 0.0
        self.seen: list[dict[str, Any]] = []
        self.watching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run all steps.

        Raises:
            StepFailed, TimeoutError: one did not happen as told.
        """
        began = time.perf_counter()
        async with (
            LocalDeployment(functions) as deployment,
            ConvexClient(deployment.url) as ada,
            ConvexClient(deployment.url) as bob,
            asyncio.timeout(60),
        ):
            self.title("convex-async: two clients and a local Convex deployment")
            self.tell(f"deployment at {deployment.url}, real WebSockets, no account")
            messages = decode((files("convex_async.cli") / "chat_messages.json").read_bytes())
            for message in messages:
                del message["_id"], message["_creationTime"]
            await deployment.run("chat:fill", {"messages": messages})
            async with ada.subscribe(api.chat.list) as live:
                self.watching = asyncio.create_task(self.watch(live))
                try:
                    await self.live_query(len(messages))
                    await self.other_client(bob)
                    await self.own_writes(bob)
                    await self.arguments_and_action(ada, messages)
                    await self.application_error(ada)
                    await self.disconnect(deployment, ada, bob)
                    await self.official_client(deployment)
                    check(not self.watching.done(), "the live query ended")
                finally:
                    self.watching.cancel()
            self.numbers(ada, bob, time.perf_counter() - began)

    async def watch(self, live: Subscription[Any]) -> None:
        """Take every update of the live query, and check that nothing is lost or doubled."""
        async with aclosing(live.changes()) as changes:
            async for change in changes:
                self.updates += 1
                check(not change.deleted and not change.updated, "messages changed by themselves")
                self.seen += change.inserted

    async def until(self, happened: Callable[[], object], what: str) -> float:
        """Wait for it; milliseconds that it took."""
        began = time.perf_counter()
        while not happened():
            if self.watching is not None and self.watching.done():
                self.watching.result()
            check(time.perf_counter() - began < PATIENCE, f"waited too long for {what}")
            await asyncio.sleep(0.0005)
        return (time.perf_counter() - began) * 1e3

    def has(self, body: str) -> bool:
        return any(message["body"] == body for message in self.seen)

    # The steps

    async def live_query(self, count: int) -> None:
        took = await self.until(lambda: len(self.seen) == count, "the first result")
        last = self.seen[-1]
        self.step("A live query", f"Ada subscribes to chat:list: {count} messages", took)
        self.quote(last["authorName"], last["body"])

    async def other_client(self, bob: ConvexClient) -> None:
        body = "The release is out: everyone please have a look."
        sending = asyncio.create_task(bob.mutation(api.chat.send, {"author": "Bob", "body": body}))
        took = await self.until(lambda: self.has(body), "Bob's message")
        await sending
        self.slowest_ms = max(self.slowest_ms, took)
        self.step("A mutation by the other client", "Bob writes, Ada's query updates", took)
        self.quote("Bob", body)

    async def own_writes(self, bob: ConvexClient) -> None:
        began = time.perf_counter()
        message_id = await bob.mutation(api.chat.send, {"author": "Bob", "body": "me again"})
        mine = await bob.query(api.chat.by_author, {"author": "Bob", "limit": 1})
        took = (time.perf_counter() - began) * 1e3
        check(mine[0]["_id"] == message_id, "Bob did not read his own write")
        self.step("Read your writes", "Bob's mutation returns when his queries show it", took)

    async def arguments_and_action(self, ada: ConvexClient, messages: list[Any]) -> None:
        author = messages[0]["authorName"]
        found, took = await timed(ada.query(api.chat.by_author, {"author": author, "limit": 3}))
        check([m["authorName"] for m in found] == [author] * 3, "the query took no arguments")
        self.step("A query with arguments", f"the latest 3 messages of {author}", took)
        top, took = await timed(ada.action(api.chat.most_active))
        count = sum(message["authorName"] == top["author"] for message in self.seen)
        check(count == top["count"], "the action counted wrongly")
        self.step("An action", f"{top['author']} wrote most, {top['count']:.0f} messages", took)

    async def application_error(self, ada: ConvexClient) -> None:
        began = time.perf_counter()
        try:
            await ada.mutation(api.chat.send, {"author": "Ada", "body": ""})
        except ConvexError as error:
            took = (time.perf_counter() - began) * 1e3
            check(error.data == {"code": "EMPTY_MESSAGE", "author": "Ada"}, "the data got lost")
            self.step("A ConvexError with data", f"error.data == {error.data}", took)
        else:
            raise StepFailed("an empty message was accepted")

    async def disconnect(
        self, deployment: LocalDeployment, ada: ConvexClient, bob: ConvexClient
    ) -> None:
        began = time.perf_counter()
        before = len(self.seen)
        # The commit after next is not answered: the client can't know that it happened.
        deployment.faults.drop_after_commit = 1
        sends = [
            bob.mutation(api.chat.send, {"author": "Bob", "body": f"storm {n}"})
            for n in range(STORM)
        ]
        sending = asyncio.gather(*sends)
        await self.until(lambda: self.has("storm 0"), "the first of the storm")
        deployment.faults.drop()
        await sending
        await self.until(lambda: len(self.seen) >= before + STORM, "the whole storm")
        storm = [m["body"] for m in self.seen[before:]]
        check(storm == [f"storm {n}" for n in range(STORM)], "a message was lost or doubled")
        check(bob.state.connection_count > 1, "Bob was not disconnected")
        check(ada.state.connection_count > 1, "Ada was not disconnected")
        took = (time.perf_counter() - began) * 1e3
        self.step(
            "A disconnect survived",
            f"both sockets cut during {STORM} mutations: each arrived once, in order",
            took,
        )

    async def official_client(self, deployment: LocalDeployment) -> None:
        if find_spec("convex") is None:
            self.tell("the PyPI client is not installed: pip install convex, to see it join in")
            return
        body = "Hello from the official Python client."
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", OFFICIAL, deployment.url, body)
        )
        took = await self.until(lambda: self.has(body), "the official client's message")
        check(await process.wait() == 0, "the official client failed")
        self.step("The official client joins in", "PyPI convex writes, Ada's query updates", took)
        self.quote("Olga", body)

    # What is shown

    def title(self, text: str) -> None:
        self.console.print(f"\n[bold]{escape(text)}[/]")

    def tell(self, text: str) -> None:
        self.console.print(f"  [dim]{escape(text)}[/]")

    def step(self, name: str, text: str, took_ms: float) -> None:
        self.console.print(f"\n[bold green]✓[/] [bold]{escape(name)}[/] [dim]({took_ms:.1f} ms)[/]")
        self.console.print(f"  {escape(text)}")

    def quote(self, author: str, body: str) -> None:
        self.console.print(f"  [cyan]{escape(author)}:[/] {escape(body)}")

    def numbers(self, ada: ConvexClient, bob: ConvexClient, seconds: float) -> None:
        bodies = [message["_id"] for message in self.seen]
        check(len(bodies) == len(set(bodies)), "a message came twice")
        table = Table(title="In numbers", title_justify="left", show_header=False)
        reconnects = ada.state.connection_count + bob.state.connection_count - 2
        rows = {
            "messages seen, each once": len(self.seen),
            "updates of the live query": self.updates,
            "reconnects": reconnects,
            "from Bob's write to Ada's screen": f"{self.slowest_ms:.1f} ms",
            "all of it": f"{seconds:.1f} s",
        }
        for name, value in rows.items():
            table.add_row(name, str(value))
        self.console.print()
        self.console.print(table)


async def timed(work: Awaitable[T]) -> tuple[T, float]:
    """The result, and the milliseconds that it took."""
    began = time.perf_counter()
    result = await work
    return result, (time.perf_counter() - began) * 1e3
