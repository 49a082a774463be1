"""What the commands share: the deployment, arguments, results, and how they end."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import click

from convex_async import (
    AuthError,
    ClientClosedError,
    CodecError,
    ConvexClient,
    ConvexError,
    ConvexHttpClient,
    FunctionError,
    ProtocolError,
    StorageError,
    TransportError,
)
from convex_async.cli.secrets import VARIABLES
from convex_async.codec import decode, encode, to_plain_json
from convex_async.deployment.environment import read_configuration
from convex_async.transfer import ImportFailed

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

# Exit codes, as the help of `convex-async` says them.
FAILED, USAGE, UNREACHABLE, REFUSED, INTERRUPTED = 1, 2, 3, 4, 130
# Where an admin or deploy key is looked for.
ADMIN_KEYS = [VARIABLES["--admin-key"], "CONVEX_ADMIN_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY"]


@dataclass(frozen=True)
class Target:
    """The deployment and who calls it, as the options and the environment say."""

    url: str
    site_url: str | None
    admin_key: str | None
    token: str | None

    def __repr__(self) -> str:
        return f"<Target {self.url}>"  # the key and the token are nobody's to see

    def options(self, acting_as: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a client is made with, beside the URL."""
        who: dict[str, Any] = {"auth": self.token} if self.token else {}
        if self.admin_key and not self.token:
            who = {"admin_key": self.admin_key}
            if acting_as is not None:
                who["acting_as"] = acting_as
        elif acting_as is not None:
            raise click.UsageError(
                "--identity needs an admin key: --admin-key or CONVEX_DEPLOY_KEY"
            )
        return {"site_url": self.site_url, **who}

    def client(self, **more: Any) -> ConvexClient:
        """A client over a socket."""
        return ConvexClient(self.url, **{**self.options(), **more})

    def http_client(self, acting_as: Mapping[str, Any] | None = None) -> ConvexHttpClient:
        """A client over HTTP."""
        return ConvexHttpClient(self.url, **self.options(acting_as))


def with_target(command: Command) -> Command:
    """Give a command the options that name the deployment, as its argument `target`."""

    @click.option("--url", help="The deployment URL.")
    @click.option(
        "--admin-key",
        envvar=ADMIN_KEYS,
        help="An admin or deploy key; better in CONVEX_DEPLOY_KEY.",
    )
    @click.option(
        "--token", envvar=VARIABLES["--token"], help="A user's JWT; better in CONVEX_AUTH_TOKEN."
    )
    @click.option(
        "--env-file",
        type=click.Path(exists=True, dir_okay=False),
        help="Where to look after the environment, in place of .env.local.",
    )
    @functools.wraps(command)
    def with_options(
        url: str | None, admin_key: str | None, token: str | None, env_file: str | None, **rest: Any
    ) -> Any:
        with ending():
            target = find_target(url, admin_key, token, env_file)
        return command(target=target, **rest)

    made: Any = with_options
    return made  # type: ignore[no-any-return]


def find_target(
    url: str | None, admin_key: str | None, token: str | None, env_file: str | None
) -> Target:
    """The deployment that is meant.

    Raises:
        ValueError, ImportError: none is.
    """
    if url is not None:
        return Target(url, None, admin_key, token)
    found = read_configuration(env_file or ".env.local")
    return Target(found.url, found.site_url, admin_key or found.admin_key, token)


# Arguments


def read_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """Arguments as they are typed: one JSON object, or `key=value` each.

    A value is JSON if it parses as such, else text; `{"$integer": …}` is an int64.
    """
    if len(texts) == 1 and texts[0].lstrip().startswith("{"):
        return read_object(texts[0], "the arguments")
    found: dict[str, Any] = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            raise click.UsageError(
                f"{text!r} is no argument: write key=value, or all of them as one JSON object"
            )
        try:
            found[name] = decode(value.encode())
        except CodecError:
            found[name] = value
    return found


def read_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = decode(text.encode())
    except CodecError as error:
        raise click.UsageError(f"{what}: no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{what}: a JSON object is wanted")
    return found


# Results


def as_json(value: Any) -> str:
    """A value as one line of plain JSON: int64 as text, bytes as base64."""
    return to_plain_json(encode(value)).decode()


def show(value: Any) -> None:
    """Write a result: one line, or laid out and coloured on a terminal."""
    text = as_json(value)
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from rich.console import Console

    Console().print_json(json.dumps(json.loads(text), ensure_ascii=False), ensure_ascii=False)


def say(text: str) -> None:
    """Tell something that is no result."""
    click.echo(text, err=True)


def show_logs() -> None:
    """Write what functions log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("convex_async.functions")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


# Ends


class ending:
    """Ends the command with the exit code and the text of what is raised within."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None or isinstance(
            error, click.exceptions.Exit | click.ClickException | SystemExit
        ):
            return
        if isinstance(error, BrokenPipeError):
            return
        code = code_of(error)
        if code is not None:
            end(code, message_of(error))


def end(code: int, message: str) -> NoReturn:
    """Say why, and end."""
    say(message)
    sys.exit(code)


def code_of(error: BaseException) -> int | None:
    """The exit code for an exception; None if it is a mistake of this program's own."""
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case FunctionError():
            return FAILED
        case AuthError():
            return REFUSED
        case StorageError() if error.status is not None:
            return FAILED
        case ProtocolError() if "BadDeployKey" in str(error) or "Unauthenticated" in str(error):
            return REFUSED
        case TransportError() | ProtocolError() | ClientClosedError():
            return UNREACHABLE
        case ImportFailed():
            return FAILED
        case ValueError() | ImportError() | TypeError() | CodecError() | OSError():
            return USAGE
        case _:
            return None


def message_of(error: BaseException) -> str:
    """What went wrong, without a traceback."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ConvexError):
        return f"{error}\ndata: {as_json(error.data)}"
    return str(error) or type(error).__name__


def complete(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work; exceptions become exit codes."""
    with ending():
        return asyncio.run(work())
    raise AssertionError("what ends it exits")


def progress(what: str, *, unit: str = "bytes") -> Any:
    """A progress bar on a terminal's stderr, with rate and remaining time; shows nothing else."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:.0f} {unit}/s")

    is_bytes = unit == "bytes"
    counts: list[Any] = (
        [DownloadColumn(), TransferSpeedColumn()] if is_bytes else [MofNCompleteColumn(), Rate()]
    )
    console = Console(stderr=True)
    return Progress(
        TextColumn(what),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
        transient=True,
    )
