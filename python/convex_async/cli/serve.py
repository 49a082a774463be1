"""`convex-async serve MODULE:FUNCTIONS`: a local deployment as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path

import click

from convex_async.local import Functions, LoadError, LocalDeployment
from convex_async.local.server.origins import is_loopback


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
    redact: bool,
    env_file: Path | None,
) -> None:
    """Serve a folder of TypeScript, such as `./convex`, or the Functions object of a Python
    module, such as `app.backend:functions`."""
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
        asyncio.run(_serve(deployment, host))
    except LoadError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"can't listen on {host}:{port}: {error}") from None


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
    except (ImportError, AttributeError) as error:
        raise click.BadParameter(str(error)) from None
    if not isinstance(found, Functions):
        raise click.BadParameter(f"{name} is no convex_async.local.Functions, but {found!r}")
    return found


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


async def _serve(deployment: LocalDeployment, host: str) -> None:
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
        for cron in deployment.crons:
            click.echo(f"Cron {cron.name}: {cron.path}, {cron.schedule}")
        sys.stdout.flush()
        await stop.wait()
        await deployment.drain()
    click.echo("Stopped")
