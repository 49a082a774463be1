"""`convex-async run PATH`: one query, mutation or action."""

from __future__ import annotations

import re
from typing import Any

import click

from convex_async import ConvexHttpClient, FunctionError
from convex_async.cli.common import (
    Target,
    complete,
    read_arguments,
    read_object,
    show,
    show_logs,
    with_target,
)
from convex_async.function_path import canonical_path

API_SPEC = "_system/cli/modules:apiSpec"
# What a deployment says of a function of another kind, before anything of it runs.
_OTHER_KIND = re.compile(r"defined as (?:a )?(Query|Mutation|Action)")


@click.command(epilog="""Example: convex-async run tasks:create text="Buy milk" priority=2""")
@click.argument("path")
@click.argument("args", nargs=-1)
@click.option("--query", "kind", flag_value="query", help="It is a query.")
@click.option("--mutation", "kind", flag_value="mutation", help="It is a mutation.")
@click.option("--action", "kind", flag_value="action", help="It is an action.")
@click.option("--identity", help="Act as this user, with an admin key: a JSON object.")
@with_target
def command(
    target: Target, path: str, args: tuple[str, ...], kind: str | None, identity: str | None
) -> None:
    """Run a function and write its result as JSON; what it logs goes to stderr.

    ARGS are one JSON object, or key=value each, a value being JSON if it parses as JSON.
    """
    arguments = read_arguments(args)
    acting_as = None if identity is None else read_object(identity, "--identity")

    async def work() -> Any:
        show_logs()
        async with target.http_client(acting_as) as client:
            client.set_debug(True)
            known = kind or (await kind_of(client, path) if target.admin_key else None)
            return await run(client, path, arguments, known)

    show(complete(work))


async def kind_of(client: ConvexHttpClient, path: str) -> str | None:
    """What kind a function is, by the function specification; None if it is not there."""
    name = canonical_path(path)
    for function in await client.query(API_SPEC, {}):
        identifier = function.get("identifier")
        if identifier is not None and canonical_path(identifier) == name:
            return str(function["functionType"]).lower()
    return None


async def run(client: ConvexHttpClient, path: str, args: dict[str, Any], kind: str | None) -> Any:
    """The result of a function; without its kind it is tried as a query first.

    A function of another kind does not run: the deployment says which it is.
    """
    try:
        return await getattr(client, kind or "query")(path, args)
    except FunctionError as error:
        other = _OTHER_KIND.search(error.message)
        if kind is not None or other is None:
            raise
        return await getattr(client, other[1].lower())(path, args)
