"""Draw the pictures of docs/cli.md: `python docs/pictures.py` runs the commands on a terminal.

What they print is real; rich makes SVGs of it.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]


def draw(name: str, shown: str, output: str) -> None:
    """Write docs/images/NAME.svg of a command and what it printed."""
    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ convex-async {shown}", style="bold"))
    console.print(Text.from_ansi(output.replace("\r\n", "\n").strip("\n")))
    target = HERE / "images" / f"{name}.svg"
    target.parent.mkdir(exist_ok=True)
    target.write_text(console.export_svg(title=f"convex-async {shown.split()[0]}", unique_id=name))


def main() -> None:
    """Run each command against a deployment of its own."""
    from tests.cli.commands import BACKEND, on_a_terminal

    from convex_async.testing import serve

    names: dict[str, Any] = {}
    exec(BACKEND, names)
    add_many(names["functions"])
    with serve(names["functions"], port=3210) as deployment:
        for name, arguments in {
            "run": ["run", "notes:add", "text=Buy milk", "rank=2"],
            "list": ["run", "notes:list"],
            "doctor": ["doctor"],
        }.items():
            shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
            _, output = on_a_terminal(*arguments, CONVEX_URL=deployment.url)
            draw(name, shown, output)
        draw("watch", "watch notes:list", watched(deployment))
        draw("import", "import notes.jsonl notes:add_many --key rows", imported(deployment))


def add_many(functions: Any) -> None:
    """Give the functions one that takes a list of rows."""

    @functions.mutation("notes:add_many")  # type: ignore[untyped-decorator]
    async def add(ctx: Any, rows: Any) -> None:
        for row in rows:
            await ctx.db.insert("notes", row)


def watched(deployment: Any) -> str:
    """The last picture of a live query, after a document came."""
    from tests.cli.commands import command, environment

    main, side = pty.openpty()
    process = subprocess.Popen(
        command("watch", "notes:list", "--url", deployment.url),
        env=environment(), stdin=side, stdout=side, stderr=side,
    )  # fmt: skip
    os.close(side)
    seen = ""
    while "state 1" not in seen:
        seen += os.read(main, 65536).decode()
    deployment.tables["notes"].insert({"text": "Call Ada"})
    while "Call Ada" not in seen or not seen.endswith("\n"):
        seen += os.read(main, 65536).decode()
    process.kill()
    process.wait()
    os.close(main)
    return plain(seen[seen.rindex(deployment.url) :])


def imported(deployment: Any) -> str:
    """The bar in the middle of an import, and what it prints at the end."""
    from tests.cli.commands import on_a_terminal

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "notes.jsonl"
        source.write_text("".join(f'{{"text": "note {n}"}}\n' for n in range(20_000)))
        _, output = on_a_terminal(
            "import", str(source), "notes:add_many", "--key", "rows", CONVEX_URL=deployment.url
        )
    bars = [line for line in re.split(r"[\r\n]+", output) if "importing" in line]
    end = output[output.rindex("{") :]
    return plain(bars[len(bars) // 2] + "\n" + end)


def plain(output: str) -> str:
    """What a terminal was sent, with its colours, without what moves its cursor."""
    return re.sub(r"\x1b\[[?0-9;]*[A-HJKhl]", "", output)


if __name__ == "__main__":
    main()
