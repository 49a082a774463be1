"""`convex-async download ID_OR_URL -o FILE`: fetch a stored file."""

from __future__ import annotations

from pathlib import Path

import click

from convex_async.cli.common import Target, complete, progress, show, with_target


@click.command(epilog="Example: convex-async download kg2a… --via files:getUrl -o photo.jpg")
@click.argument("what", metavar="ID_OR_URL")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--via", help="For a storage id: the query that gives its URL.")
@click.option(
    "--argument", default="storageId", show_default=True, help="What that query calls the id."
)
@with_target
def command(target: Target, what: str, output: Path, via: str | None, argument: str) -> None:
    """Fetch a stored file, check it against its checksum, and write it whole or not at all."""
    if "://" not in what and via is None:
        raise click.UsageError("a storage id needs --via, the query that gives its URL")

    async def work() -> None:
        with progress(f"downloading {output.name}") as bar:
            task = bar.add_task("", total=None)
            async with target.http_client() as client:
                url = what
                if via is not None:
                    found = await client.query(via, {argument: what})
                    if not isinstance(found, str):
                        raise click.ClickException(f"{via} gives no URL for {what}")
                    url = found
                await client.download(
                    url,
                    output,
                    progress=lambda got, total: bar.update(task, completed=got, total=total),
                )

    complete(work)
    show({"path": str(output), "bytes": output.stat().st_size})
