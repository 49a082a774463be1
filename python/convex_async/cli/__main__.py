"""`convex-async`: each command is imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

try:
    import click
except ImportError:
    sys.exit("the convex-async command needs an extra: pip install 'convex-async[cli,local]'")

from convex_async.cli.secrets import out_of_sight
from convex_async.version import __version__

# By their order in the help; the module of each has its name.
COMMANDS = {
    name: f"convex_async.cli.{module}"
    for name, module in {
        "run": "run",
        "watch": "watch",
        "codegen": "codegen",
        "upload": "upload",
        "download": "download",
        "export": "export",
        "import": "import_",
        "serve": "serve",
        "doctor": "doctor",
        "demo": "demo",
    }.items()
}


class Commands(click.Group):
    """The commands, one module each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Convex from the command line.

    The deployment is the one of `--url`, of CONVEX_URL in the environment, or of `.env.local`.
    Results are JSON on stdout, all else is on stderr. Exit codes: 0, 1 the function failed, 2 wrong
    usage, 3 no connection, 4 credentials refused, 130 Ctrl-C.

    Completion, for bash: eval "$(_CONVEX_ASYNC_COMPLETE=bash_source convex-async)"; zsh_source and
    fish_source alike.
    """


def run() -> None:
    """Run the command of `sys.argv`; what is secret there is taken out of sight first."""
    out_of_sight(sys.argv)
    try:
        main(prog_name="convex-async")
    except BrokenPipeError:  # as by `| head`: what was wanted is there
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run()
