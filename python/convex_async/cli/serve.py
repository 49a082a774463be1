"""`convex-async serve MODULE:FUNCTIONS`: a local deployment as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import shlex
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from convex_async.cli.common import USAGE
from convex_async.local import Functions, LoadError, LocalDeployment
from convex_async.local.server.origins import is_loopback

# Where our own code is, whose frames are nobody's concern.
_OURS = Path(__file__).parents[1]
# Seconds for which a token of `--token` is taken.
TOKEN_LIFETIME = 86_400.0


class Refused(click.ClickException):
    """What was asked for can't be served: one line says why, and one what to do."""

    exit_code = USAGE

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"{problem}\n{hint}")


@click.command()
@click.argument("functions", metavar="FOLDER|MODULE:FUNCTIONS")
@click.option("--path", type=click.Path(path_type=Path), help="Keep the data in this SQLite file.")
@click.option("--port", default=3210, show_default=True, help="The port; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address.")
@click.option(
    "--allow-host",
    "allow_hosts",
    metavar="NAME",
    multiple=True,
    help="Answer to this name too, beside localhost and addresses.",
)
@click.option("--reload", is_flag=True, help="Start again when Python files here change.")
@click.option(
    "--token",
    "subjects",
    metavar="SUBJECT",
    multiple=True,
    help="Print a token with which clients are this user for a day.",
)
@click.option("--redact", is_flag=True, help="Hide errors and logs, as production does.")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Environment variables of functions in TypeScript.",
)
def command(
    functions: str,
    path: Path | None,
    port: int,
    host: str,
    allow_hosts: tuple[str, ...],
    reload: bool,
    subjects: tuple[str, ...],
    redact: bool,
    env_file: Path | None,
) -> None:
    """Serve a folder of TypeScript, such as `./convex`, or the Functions object of a Python
    module, such as `app.backend:functions`."""
    if not 0 <= port <= 65_535:
        raise Refused(f"{port} is no port.", "Give one from 0, which takes a free one, to 65535.")
    if path is not None and path.is_dir():
        raise Refused(f"{path} is a folder.", "Give --path a file, which is made if need be.")
    is_folder = Path(functions).is_dir()
    if reload and not is_folder:
        _serve_again_and_again()
        return
    if is_folder:
        env = {} if env_file is None else _read_env(env_file)
        deployment = LocalDeployment.from_folder(
            functions,
            env=env,
            path=path,
            reload=reload,
            host=host,
            port=port,
            redact=redact,
            record_calls=False,
            allow_hosts=allow_hosts,
        )
    else:
        deployment = LocalDeployment(
            _load(functions),
            path,
            host=host,
            port=port,
            redact=redact,
            record_calls=False,
            allow_hosts=allow_hosts,
        )
    try:
        asyncio.run(_serve(deployment, host, subjects))
    except LoadError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        if error.errno is None and path is not None:  # words of the store's own
            raise Refused(f"{error}", "Give another file by --path, or none.") from None
        raise Refused(
            f"can't listen on {host}:{port}: {error.strerror or error}.",
            "Give another --port, or 0 for a free one, or another --host.",
        ) from None
    except (ValueError, ImportError) as error:
        raise Refused(str(error), "Mend that, and serve again.") from None


def _read_env(path: Path) -> dict[str, str]:
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise click.ClickException(
            "--env-file needs an extra: pip install 'convex-async[dotenv]'"
        ) from None
    return {name: value or "" for name, value in dotenv_values(path).items()}


def _serve_again_and_again() -> None:
    """Run this very command in a process, and another one after each change.

    A fresh process is the only honest reload: no module, and no socket, is left of the old one.
    """
    from watchfiles import PythonFilter, run_process

    arguments = [argument for argument in sys.argv[1:] if argument != "--reload"]
    run_process(
        Path.cwd(),
        target=shlex.join([sys.executable, "-m", "convex_async.cli", *arguments]),
        target_type="command",
        watch_filter=PythonFilter(),
        callback=lambda changes: click.echo("Changed: " + ", ".join(sorted(p for _, p in changes))),
    )


def _load(name: str) -> Functions:
    module, colon, attribute = name.partition(":")
    if not colon:
        raise click.BadParameter(f"{name!r} names no object: write MODULE:FUNCTIONS")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:
        where, what = _place(error)
        raise Refused(f"{name} can't be loaded: {what}", where) from None
    if not isinstance(found, Functions):
        raise Refused(f"{name} is {type(found).__name__}.", "It has to be a Functions object.")
    return found


def _place(error: Exception) -> tuple[str, str]:
    """Where the user's code failed as it was imported, and how, a line each."""
    if isinstance(error, SyntaxError):
        return f"at {error.filename}, line {error.lineno}", f"{type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame
        for frame in frames
        if not frame.filename.startswith("<frozen ")
        and not Path(frame.filename).is_relative_to(_OURS)
        and Path(frame.filename) != Path(importlib.__file__)
    ]
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not theirs:
        return f"Modules are looked for in {Path.cwd()} and on PYTHONPATH.", what
    return f"at {theirs[-1].filename}, line {theirs[-1].lineno}", what


def _tell_who_can_call(host: str, port: int) -> None:
    """Warn that this is no server for others, and name the URLs by which they reach it."""
    names = [host]
    if host in ("0.0.0.0", "::", ""):
        with contextlib.suppress(OSError):  # the machine's name may lead nowhere
            found = socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)
            names = sorted({str(address[0]) for *_, address in found})
        names = [name for name in names if not is_loopback(name) and name != host]
    for name in names:
        click.echo(f"From other machines: http://{name}:{port}")
    click.echo(
        "Warning: whoever reaches this machine can call its public functions. "
        "This is a server for development.",
        err=True,
    )


async def _serve(deployment: LocalDeployment, host: str, subjects: Sequence[str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises instead
            loop.add_signal_handler(name, stop.set)
    async with deployment:
        functions = deployment.functions
        click.echo(f"Serving {len(functions)} functions at {deployment.url}")
        if not is_loopback(host):
            _tell_who_can_call(host, int(deployment.url.rpartition(":")[2]))
        if deployment.has_routes:
            click.echo(f"HTTP actions: {deployment.site_url}")
        click.echo(f"Admin key: {deployment.admin_key}")
        for subject in subjects:
            token = deployment.issue_token(subject, lifetime=TOKEN_LIFETIME)
            click.echo(f"Token of {subject}: {token}")
        for cron in deployment.crons:
            click.echo(f"Cron {cron.name}: {cron.path}, {cron.schedule}")
        sys.stdout.flush()
        await stop.wait()
        await deployment.drain()
    click.echo("Stopped")
