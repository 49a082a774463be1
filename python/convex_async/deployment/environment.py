"""Where the deployment is, by the environment and by `.env.local`, under the names Convex uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

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
# Names of a key that may do anything, read only when asked for.
ADMIN_KEYS = ("CONVEX_DEPLOY_KEY", "CONVEX_ADMIN_KEY", SELF_HOSTED_ADMIN_KEY)
# What `npx convex dev` writes; `.env` is looked at after it.
DOTENV = ".env.local"
# What a project's root has; above all a repository.
_ROOTS = (".git", "convex.json", "package.json", "pyproject.toml")

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


def read_configuration(
    dotenv: str | os.PathLike[str] | None = DOTENV, *, admin: bool = False
) -> Configuration:
    """Find the deployment in the environment, then in dotenv files of the project.

    Everything is taken from the one place that names the URL, so that two deployments are never
    mixed; a key that was asked for may be in the environment beside a file that has none. The
    environment of the process is not changed.

    Args:
        dotenv: the file, which need not exist; None for none. Where it is `.env.local`, that and
            `.env` are looked for in the working directory and its parents, up to the project's
            root. Reading it needs `python-dotenv`, the extra `convex-async[dotenv]`.
        admin: look for an admin or deploy key too.

    Raises:
        ValueError: no URL, or no key, is there; the message says where it was looked for.
        ImportError: a file is there, and needed, but `python-dotenv` is not installed.
    """
    found, looked = _configuration(os.environ, admin), ["the environment"]
    for path in () if found is not None or dotenv is None else _dotenv_files(Path(dotenv)):
        looked.append(str(path))
        if (found := _configuration(_read_dotenv(path), admin)) is not None:
            break
    if found is None:
        names = ", ".join(f"{prefix}CONVEX_URL" for prefix in PREFIXES)
        nowhere = ", nor in ".join(looked)
        if dotenv is not None and len(looked) == 1:
            nowhere += f", and there is no file {dotenv} in {Path.cwd()}"
        raise ValueError(
            f"no deployment URL: none of {names} or {SELF_HOSTED_URL} is set in {nowhere}. "
            f"{_HOW_TO_GET_ONE}"
        )
    if admin and found.admin_key is None:
        found = replace(found, admin_key=_admin_key(os.environ))
        if found.admin_key is None:
            raise ValueError(
                f"no admin key: none of {', '.join(ADMIN_KEYS)} is set where {found.url} is, nor "
                "in the environment. The dashboard makes deploy keys under Settings"
            )
    return found


def _dotenv_files(given: Path) -> list[Path]:
    """The files to look in, the nearest first."""
    if given != Path(DOTENV):
        return [given] if given.is_file() else []
    here = Path.cwd()
    folders = [here, *here.parents]
    roots = [n for n, folder in enumerate(folders) if any((folder / m).exists() for m in _ROOTS)]
    repository = [n for n, folder in enumerate(folders) if (folder / ".git").exists()]
    last = repository[0] if repository else roots[0] if roots else 0
    files = [folder / name for folder in folders[: last + 1] for name in (DOTENV, ".env")]
    return [path for path in files if path.is_file()]


def configured(
    dotenv: str | os.PathLike[str] | None, options: Mapping[str, Any], *, admin: bool = False
) -> tuple[str, dict[str, Any]]:
    """The URL and the options of a client, with what the environment adds to those given.

    Raises:
        ValueError, ImportError: as `read_configuration`.
    """
    found = read_configuration(dotenv, admin=admin and "admin_key" not in options)
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


def _configuration(variables: Mapping[str, str | None], admin: bool) -> Configuration | None:
    key = _admin_key(variables) if admin else None
    for prefix in PREFIXES:
        if url := variables.get(f"{prefix}CONVEX_URL"):
            site_url = variables.get(f"{prefix}CONVEX_SITE_URL") or variables.get("CONVEX_SITE_URL")
            return Configuration(url, site_url or None, key)
    if url := variables.get(SELF_HOSTED_URL):
        key = variables.get(SELF_HOSTED_ADMIN_KEY) or key
        return Configuration(url, variables.get("CONVEX_SITE_URL") or None, key)
    return None


def _admin_key(variables: Mapping[str, str | None]) -> str | None:
    return next((key for name in ADMIN_KEYS if (key := variables.get(name))), None)


def _read_dotenv(path: Path) -> Mapping[str, str | None]:
    try:
        from dotenv import dotenv_values
    except ImportError as error:
        raise ImportError(
            f"reading {path} needs python-dotenv: pip install 'convex-async[dotenv]', "
            "or set CONVEX_URL in the environment"
        ) from error
    return dotenv_values(path, interpolate=False)
