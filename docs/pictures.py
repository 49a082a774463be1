"""Draw the pictures of docs/cli.md: `python docs/pictures.py` runs the commands on a terminal.

What they print is real; rich makes SVGs of it.
"""

from __future__ import annotations

import io
import sys
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
    with serve(names["functions"], port=3210) as deployment:
        for name, arguments in {
            "run": ["run", "notes:add", "text=Buy milk", "rank=2"],
            "list": ["run", "notes:list"],
            "doctor": ["doctor"],
        }.items():
            shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
            _, output = on_a_terminal(*arguments, CONVEX_URL=deployment.url)
            draw(name, shown, output)


if __name__ == "__main__":
    main()
