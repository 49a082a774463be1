"""`convex-async watch PATH`: a live query, on a terminal or line by line."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click

from convex_async import ConvexClient, FunctionError, Subscription
from convex_async.cli.common import (
    Target,
    as_json,
    complete,
    read_arguments,
    say,
    with_target,
)

# Seconds between two pictures: states that come faster are left out, not the terminal.
PICTURE_EVERY = 0.05


@click.command(epilog="Example: convex-async watch tasks:list | jq length")
@click.argument("path")
@click.argument("args", nargs=-1)
@click.option("--changes", is_flag=True, help="One line a change of a list of documents.")
@with_target
def command(target: Target, path: str, args: tuple[str, ...], changes: bool) -> None:
    """Follow a query: on a terminal its value, with what changed marked; else a line a state.

    The newest state wins where they come faster than they are read.
    """
    arguments = read_arguments(args)
    seen = Seen()

    async def work() -> None:
        async with target.client() as client:
            await client.connect()
            async with client.subscribe(path, arguments) as live:
                if changes:
                    await follow_changes(live, seen)
                elif sys.stdout.isatty():
                    await draw(client, live, seen)
                else:
                    await follow(live, seen)

    try:
        complete(work)
    finally:
        say(f"{seen.count} {'changes' if changes else 'states'} seen")


class Seen:
    """How many states were shown."""

    count = 0


async def follow(live: Subscription[Any], seen: Seen) -> None:
    """One line a state. A query that fails at first ends it; later, that is told."""
    while True:
        try:
            async for value in live:
                seen.count += 1
                write(as_json(value))
            return
        except FunctionError as error:
            if not seen.count:
                raise
            say(str(error))


async def follow_changes(live: Subscription[Any], seen: Seen) -> None:
    """One line a change: what was inserted, updated and deleted."""
    async for change in live.changes():
        seen.count += 1
        parts = {
            "inserted": change.inserted,
            "updated": change.updated,
            "deleted": list(change.deleted),
        }
        write(as_json(parts))


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def draw(client: ConvexClient, live: Subscription[Any], seen: Seen) -> None:
    """Redraw the value whenever it changes, and mark the lines that are new in it."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    before: set[str] | None = None
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as picture:
        async for value in live:
            seen.count += 1
            lines = json.dumps(json.loads(as_json(value)), indent=2, ensure_ascii=False).split("\n")
            picture.update(marked(lines, before, client.url, seen.count), refresh=True)
            before = {line.rstrip(",") for line in lines}
            await asyncio.sleep(PICTURE_EVERY)


def marked(lines: list[str], before: set[str] | None, url: str, count: int) -> Any:
    """A value's lines, those that were not there before in green, with a mark."""
    from rich.text import Text

    shown = Text()
    shown.append(f"{url}  state {count}\n", style="dim")
    for line in lines:
        is_new = before is not None and line.rstrip(",") not in before
        shown.append(("+ " if is_new else "  ") + line + "\n", style="bold green" if is_new else "")
    return shown
