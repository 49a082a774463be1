"""`convex-async upload FILE`: store a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from convex_async.cli.common import (
    Target,
    complete,
    progress,
    read_arguments,
    show,
    with_target,
)


@click.command(epilog="Example: convex-async upload photo.jpg --via files:generateUploadUrl")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("args", nargs=-1)
@click.option("--via", required=True, help="The mutation that makes an upload URL, or such a URL.")
@click.option("--content-type", help="Stored with the file; else guessed from its name.")
@with_target
def command(
    target: Target, file: Path, args: tuple[str, ...], via: str, content_type: str | None
) -> None:
    """Store FILE and write its storage id. ARGS are the mutation's, as `run` takes them."""
    arguments = read_arguments(args)

    async def work() -> Any:
        with progress(f"uploading {file.name}") as bar:
            task = bar.add_task("", total=None)
            async with target.http_client() as client:
                return await client.upload(
                    file,
                    url=via,
                    args=arguments or None,
                    content_type=content_type,
                    progress=lambda sent, total: bar.update(task, completed=sent, total=total),
                )

    show(complete(work))
