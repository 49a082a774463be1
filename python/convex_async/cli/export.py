"""`convex-async export PATH -o FILE.jsonl`: a paginated query, one document a line."""

from __future__ import annotations

from pathlib import Path

import click

from convex_async.cli.common import Target, complete, progress, read_arguments, show, with_target
from convex_async.transfer import export_lines


@click.command(epilog="Example: convex-async export tasks:page -o tasks.jsonl")
@click.argument("path")
@click.argument("args", nargs=-1)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--page-size", default=500, show_default=True, help="Documents a page.")
@with_target
def command(target: Target, path: str, args: tuple[str, ...], output: Path, page_size: int) -> None:
    """Write all documents of a query that takes paginationOpts, a page at a time.

    The file appears when it is whole. Its JSON is Convex's: nothing is lost.
    """
    arguments = read_arguments(args)

    async def work() -> int:
        with progress(f"exporting {path}", unit="documents") as bar:
            task = bar.add_task("", total=None)
            async with target.http_client() as client:
                return await export_lines(
                    client,
                    path,
                    arguments,
                    output,
                    page_size=page_size,
                    progress=lambda count: bar.update(task, completed=count),
                )

    show({"path": str(output), "documents": complete(work)})
