"""`convex-async`: each command is imported when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

try:
    import click
except ImportError:
    sys.exit("the convex-async command needs an extra: pip install 'convex-async[cli,local]'")

from convex_async.version import __version__

COMMANDS = ("demo", "serve")


class Commands(click.Group):
    """The commands, one module each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"convex_async.cli.{cmd_name}").command
        return command


@click.command(cls=Commands)
@click.version_option(__version__)
def main() -> None:
    """Convex from the command line: a local deployment, and a demo of the client."""


if __name__ == "__main__":
    main()
