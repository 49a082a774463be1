"""`convex-async codegen`: typed calls for a deployment's functions, as one Python file."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from convex_async import ConvexHttpClient
from convex_async.cli.common import ADMIN_KEYS, FAILED, complete, end, ending, find_target, say
from convex_async.cli.run import API_SPEC
from convex_async.codec import convex_to_json
from convex_async.codegen import Options, generate, parse

# Milliseconds after which the first file is written, if nothing changes until then.
LISTENING = 300
SETTINGS = ("url", "spec", "app", "folder", "output", "style", "include-internal", "snake-case")


def read_settings(ctx: click.Context, _: click.Parameter, value: str) -> str:
    """Take `[tool.convex-async.codegen]` of a pyproject.toml for what is not given."""
    path = Path(value)
    if path.is_file():
        tools: dict[str, Any] = tomllib.loads(path.read_text()).get("tool", {})
        found: dict[str, Any] = tools.get("convex-async", {}).get("codegen", {})
        if unknown := sorted(set(found) - set(SETTINGS)):
            raise click.BadParameter(f"{value}: there is no setting {unknown[0]!r}")
        named = {name.replace("-", "_"): setting for name, setting in found.items()}
        ctx.default_map = {**(ctx.default_map or {}), **named}
    return value


@click.command(
    epilog="Example: convex-async codegen --app app.backend:functions -o app/convex_api.py"
)
@click.option(
    "--config", default="pyproject.toml", is_eager=True, expose_value=False,
    callback=read_settings, help="Where [tool.convex-async.codegen] is.",
)  # fmt: skip
@click.option("--url", help="A deployment, which is asked with an admin or deploy key.")
@click.option("--spec", help="A file of `npx convex function-spec`.")
@click.option("--app", metavar="MODULE:FUNCTIONS", help="Python functions.")
@click.option("--folder", help="A folder of TypeScript functions.")
@click.option("-o", "--output", default="convex_api.py", show_default=True, help="- is stdout.")
@click.option(
    "--style", type=click.Choice(["typeddict", "msgspec", "pydantic"]), default="typeddict",
    show_default=True,
)  # fmt: skip
@click.option("--include-internal", is_flag=True, help="Internal functions too, as `internal`.")
@click.option("--snake-case", is_flag=True, help="Python's names, which travel as Convex's.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 with the difference.")
@click.option("--watch", is_flag=True, help="Write again when the source changes.")
@click.option(
    "--admin-key", envvar=ADMIN_KEYS, help="An admin or deploy key; better in CONVEX_DEPLOY_KEY.",
)  # fmt: skip
@click.option("--env-file", type=click.Path(exists=True, dir_okay=False))
def command(
    url: str | None,
    spec: str | None,
    app: str | None,
    folder: str | None,
    output: str,
    style: Any,
    include_internal: bool,
    snake_case: bool,
    check: bool,
    watch: bool,
    admin_key: str | None,
    env_file: str | None,
) -> None:
    """Write typed calls for the functions of a deployment, a specification, or an app."""
    if watch:
        watch_sources(spec, app, folder, output)
        return
    with ending():
        listed, source = read_specification(url, spec, app, folder, admin_key, env_file)
        options = Options(style, snake_case, include_internal, source)
        made = generate(parse(listed), options)
    for warning in made.warnings:
        say(f"warning: {warning}")
    if output == "-":
        click.echo(made.text, nl=False)
        return
    path = Path(output)
    before = path.read_text() if path.is_file() else ""
    if check:
        if before != made.text:
            lines = difflib.unified_diff(
                before.splitlines(True), made.text.splitlines(True), output, "as it would be"
            )
            click.echo("".join(lines), nl=False)
            end(FAILED, f"{output} is not what {source} says: run convex-async codegen")
        say(f"{output} is up to date")
        return
    if before != made.text:
        path.write_text(made.text)
    say(f"{output}: {'unchanged' if before == made.text else 'written'}")


def read_specification(
    url: str | None,
    spec: str | None,
    app: str | None,
    folder: str | None,
    admin_key: str | None,
    env_file: str | None,
) -> tuple[Any, str]:
    """A function specification as JSON, and where it is from.

    Raises:
        ValueError: more than one source is named, or none; it is no specification.
    """
    named = [name for name in (spec, app, folder) if name]
    if len(named) + (url is not None) > 1:
        raise click.UsageError("give one of --url, --spec, --app and --folder")
    if spec:
        return json.loads(Path(spec).read_text()), Path(spec).as_posix()
    if app or folder:
        from convex_async.local import LoadError

        try:
            return complete(lambda: ask_local(app, folder)), str(app or folder)
        except LoadError as error:
            end(FAILED, str(error))
        except SyntaxError as error:
            end(FAILED, f"{error.filename}:{error.lineno}: {error.msg}")
    target = find_target(url, admin_key, None, env_file)
    if not target.admin_key:
        raise click.UsageError("asking a deployment needs CONVEX_DEPLOY_KEY, or --admin-key")
    return complete(lambda: ask(target.url, target.options())), target.url


async def ask(url: str, options: dict[str, Any]) -> Any:
    """The specification of a deployment."""
    async with ConvexHttpClient(url, **options) as client:
        return convex_to_json(await client.query(API_SPEC, {}))


async def ask_local(app: str | None, folder: str | None) -> Any:
    """The specification of Python functions or of a folder, run for a moment."""
    from convex_async.testing.served import deployment_maker

    sys.path.insert(0, str(Path.cwd()))
    async with deployment_maker(app or Path(str(folder)), {})() as deployment:
        return await ask(deployment.url, {"admin_key": deployment.admin_key})


def watch_sources(spec: str | None, app: str | None, folder: str | None, output: str) -> None:
    """Write the file, and again after each change, each time in a process of its own."""
    from watchfiles import watch

    again = [sys.executable, "-m", "convex_async", *(a for a in sys.argv[1:] if a != "--watch")]
    places = [place for place in (spec, folder) if place] or ["."]
    if not (spec or app or folder):
        raise click.UsageError("--watch follows files: give --spec, --app or --folder")
    written = Path(output).resolve()

    def is_source(_: object, path: str) -> bool:
        return (
            path.endswith((".py", ".ts", ".tsx", ".js", ".json"))
            and "node_modules" not in path
            and Path(path).resolve() != written
        )

    # The first run waits until changes are followed, so that none is missed meanwhile.
    is_first = True
    with ending():
        for changes in watch(
            *places, watch_filter=is_source, yield_on_timeout=True, rust_timeout=LISTENING
        ):
            if changes:
                say("changed: " + ", ".join(sorted(Path(path).name for _, path in changes)))
            if changes or is_first:
                subprocess.run(again, check=False)
            is_first = False
