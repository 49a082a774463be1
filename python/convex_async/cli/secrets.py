"""Keeps keys and tokens out of the list of processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# Where a secret option is looked for when it is not given.
VARIABLES = {"--admin-key": "CONVEX_DEPLOY_KEY", "--token": "CONVEX_AUTH_TOKEN"}


def out_of_sight(argv: Sequence[str]) -> None:
    """Run this very command again without the secrets of its arguments, if it has any.

    Arguments are for everybody on the machine to see; the environment is not.
    """
    if argv[1:2] == ["serve"]:
        return  # its `--token` names a user, and it takes no secrets
    kept: list[str] = []
    found: dict[str, str] = {}
    rest = iter(argv[1:])
    for argument in rest:
        name, has_value, value = argument.partition("=")
        if name not in VARIABLES:
            kept.append(argument)
            continue
        found[VARIABLES[name]] = value if has_value else next(rest, "")
    if found and os.name == "posix":
        sys.stdout.flush()
        os.environ.update(found)
        os.execv(sys.executable, [sys.executable, "-m", "convex_async", *kept])
