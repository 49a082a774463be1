"""`convex-async import FILE.jsonl PATH`: one document a line, each imported once."""

from __future__ import annotations

from pathlib import Path

import click

from convex_async.cli.common import (
    Target,
    complete,
    progress,
    read_arguments,
    say,
    show,
    with_target,
)
from convex_async.transfer import Progress, import_lines, state_path


@click.command(
    "import", epilog="Example: convex-async import tasks.jsonl tasks:add_many --key rows"
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("path")
@click.argument("args", nargs=-1)
@click.option("--key", default="rows", show_default=True, help="The argument that takes the rows.")
@click.option("--restart", is_flag=True, help="Forget an import that was begun, and begin anew.")
@click.option("--keep-system-fields", is_flag=True, help="Give _id and _creationTime along.")
@with_target
def command(
    target: Target,
    file: Path,
    path: str,
    args: tuple[str, ...],
    key: str,
    restart: bool,
    keep_system_fields: bool,
) -> None:
    """Import FILE by a mutation that takes a list of rows; the same command again resumes.

    No line is imported twice, also if this is killed: each batch has a number, under which the
    deployment runs it once. The numbers are beside the file until all is done.
    """
    arguments = read_arguments(args)
    size = file.stat().st_size
    seen = Progress()

    def note(done: Progress) -> None:
        seen.rows = done.rows

    async def work() -> Progress:
        with progress(f"importing {file.name}") as bar:
            task = bar.add_task("", total=size)

            def advance(done: Progress) -> None:
                note(done)
                bar.update(task, completed=done.offset)

            client = target.client()  # not to be used before it has its numbers
            try:
                return await import_lines(
                    client,
                    file,
                    path,
                    key=key,
                    args=arguments,
                    restart=restart,
                    keep_system_fields=keep_system_fields,
                    progress=advance,
                )
            finally:
                await client.close(drain=False)

    try:
        done = complete(work)
    finally:
        if state_path(file).exists():
            say(f"{seen.rows} rows are known to be imported; the same command resumes")
    show({"rows": done.rows, "batches": done.batches})
