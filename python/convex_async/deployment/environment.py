"""Where the deployment is, by the environment and by `.env.local`, under the names Convex uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from convex_async.deployment.url import DeploymentUrl

# What `npx convex dev` puts before CONVEX_URL for each framework (convex-js
# src/cli/lib/envvars.ts).
PREFIXES = (
    "",
    "NEXT_PUBLIC_",
    "VITE_",
    "PUBLIC_",
    "REACT_APP_",
    "EXPO_PUBLIC_",
    "NUXT_PUBLIC_",
)
SELF_HOSTED_URL = "CONVEX_SELF_HOSTED_URL"
SELF_HOSTED_ADMIN_KEY = "CONVEX_SELF_HOSTED_ADMIN_KEY"

_HOW_TO_GET_ONE = (
    "The dashboard shows a deployment's URL under Settings, and `npx convex dev` writes it into "
    ".env.local. For a local one without an account, run `convex-async serve MODULE:FUNCTIONS`, "
    "or use convex_async.local.LocalDeployment."
)


class Configuration(Struct, frozen=True):
    """What the environment says of a deployment.

    Attributes:
        url: the deployment URL, as it was written.
        site_url: the origin of HTTP actions, or None.
        admin_key: the key of a self-hosted deployment, or None.
    """

    url: str
    site_url: str | None = None
    admin_key: str | None = None

    def __repr__(self) -> str:
        return f"<Configuration {self.url!r}>"  # the key is nobody's to see


def read_configuration(dotenv: str | os.PathLike[str] | None = ".env.local") -> Configuration:
    """Find the deployment in the environment, then in a dotenv file of the working directory.

    Everything is taken from the one place that names the URL, so that two deployments are never
    mixed. The environment of the process is not changed.

    Args:
        dotenv: the file, which need not exist; None for none. Reading it needs `python-dotenv`,
            the extra `convex-async[dotenv]`.

    Raises:
        ValueError: no URL is there; the message says where it was looked for.
        ImportError: the file is there, and needed, but `python-dotenv` is not installed.
    """
    found = _configuration(os.environ)
    if found is not None:
        return found
    looked = "the environment"
    if dotenv is not None:
        path = Path(dotenv)
        if path.is_file():
            found = _configuration(_read_dotenv(path))
            if found is not None:
                return found
            looked += f", nor in {path}"
        else:
            looked += f", and there is no file {path} in {Path.cwd()}"
    names = ", ".join(f"{prefix}CONVEX_URL" for prefix in PREFIXES)
    raise ValueError(
        f"no deployment URL: none of {names} or {SELF_HOSTED_URL} is set in {looked}. "
        f"{_HOW_TO_GET_ONE}"
    )


def configured(
    dotenv: str | os.PathLike[str] | None, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The URL and the options of a client, with what the environment adds to those given.

    Raises:
        ValueError, ImportError: as `read_configuration`.
    """
    found = read_configuration(dotenv)
    options = {"site_url": found.site_url, **options}
    if found.admin_key is not None and "auth" not in options:
        options = {"admin_key": found.admin_key, **options}
    return found.url, options


def deployment_url(url: str | None, site_url: str | None = None) -> DeploymentUrl:
    """The deployment that a client's arguments name; `CONVEX_URL` stands in for `url=None`.

    `CONVEX_SITE_URL` is read only along with `CONVEX_URL`: beside a URL that was given, it may
    be another deployment's.

    Raises:
        ValueError: there is no URL, or it is none of a deployment.
    """
    if url is None:
        url = os.environ.get("CONVEX_URL")
        if not url:
            raise ValueError(
                "no deployment URL: none was given, and CONVEX_URL is not set in the environment "
                f"(`from_env()` also reads .env.local and prefixed names). {_HOW_TO_GET_ONE}"
            )
        site_url = site_url or os.environ.get("CONVEX_SITE_URL")
    return DeploymentUrl.parse(url, site_url=site_url)


def _configuration(variables: Mapping[str, str | None]) -> Configuration | None:
    for prefix in PREFIXES:
        if url := variables.get(f"{prefix}CONVEX_URL"):
            site_url = variables.get(f"{prefix}CONVEX_SITE_URL") or variables.get("CONVEX_SITE_URL")
            return Configuration(url, site_url or None)
    if url := variables.get(SELF_HOSTED_URL):
        return Configuration(
            url,
            variables.get("CONVEX_SITE_URL") or None,
            variables.get(SELF_HOSTED_ADMIN_KEY) or None,
        )
    return None


def _read_dotenv(path: Path) -> Mapping[str, str | None]:
    try:
        from dotenv import dotenv_values
    except ImportError as error:
        raise ImportError(
            f"reading {path} needs python-dotenv: pip install 'convex-async[dotenv]', "
            "or set CONVEX_URL in the environment"
        ) from error
    return dotenv_values(path, interpolate=False)
