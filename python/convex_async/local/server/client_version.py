"""Who calls: the `Convex-Client` header, or the version in the path of a browser's socket.

Source: convex-backend crates/common/src/version.rs, deprecation.json and http/mod.rs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from convex_async.local.problems import DeploymentProblem

# Strict semantic versioning, as semver.org gives it: no leading zeros, no empty parts.
_NUMBER = r"(?:0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(-{_PART}(?:\.{_PART})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)

Semver: TypeAlias = tuple[int, int, int, bool]
"""Major, minor, patch, and whether it is a release, which is later than its pre-releases."""

# The last versions that are not served, and the last ones that are told to upgrade.
_NPM = ((0, 19, 1, True), (0, 19, 1, True))
_DEPRECATED: dict[str, tuple[Semver, Semver]] = {
    "npm": _NPM,
    "npm-cli": _NPM,
    "actions": _NPM,
    "python": ((0, 0, 2, True), (0, 2, 0, True)),
    "rust": ((0, 0, 1, True), (0, 0, 1, True)),
}
_UPGRADES = {
    "python": "Update your Convex python version with `pip install --upgrade convex`.",
    "rust": "Update your Convex rust version with `cargo update -p convex`.",
}
_NPM_UPGRADE = "Update your Convex npm version with `npx convex update` or `npm update`."

# The first versions that put together transitions in parts, and that ask for plain JSON.
_CHUNKS_SINCE: Semver = (1, 28, 0, True)
_PLAIN_JSON_SINCE: dict[str, Semver] = {
    "npm": (1, 4, 1, True),
    "npm-cli": (1, 4, 1, True),
    "actions": (1, 4, 1, True),
    "python": (0, 5, 0, True),
}


@dataclass(frozen=True, slots=True)
class Deprecation:
    """That a version is too old, or soon will be; `state` and `message` are sent as headers."""

    state: Literal["Unsupported", "UpgradeRequired"]
    message: str


@dataclass(frozen=True, slots=True)
class ClientVersion:
    """A kind of client, in lower case, and its version; None if it is not semantic."""

    client: str = "unknown"
    version: Semver | None = None

    @property
    def takes_chunks(self) -> bool:
        """Whether it can put together a transition that comes in parts."""
        return self.client == "npm" and self.version is not None and self.version >= _CHUNKS_SINCE

    @property
    def wants_plain_json(self) -> bool:
        """Whether results over HTTP are plain JSON unless it says otherwise."""
        since = _PLAIN_JSON_SINCE.get(self.client)
        return since is None or self.version is None or self.version >= since

    @property
    def deprecation(self) -> Deprecation | None:
        """What to tell it of its age; a version that is not semantic is below every other."""
        thresholds = _DEPRECATED.get(self.client)
        if thresholds is None:
            return None
        unsupported, upgrade_required = thresholds
        advice = _UPGRADES.get(self.client, _NPM_UPGRADE)
        if self.version is None or self.version <= unsupported:
            return Deprecation(
                "Unsupported",
                f"This version of the Convex {self.client} package is no longer supported. "
                f"{advice}",
            )
        if self.version <= upgrade_required:
            return Deprecation(
                "UpgradeRequired",
                f"This version of the Convex {self.client} package is deprecated and will no "
                f"longer be supported soon. {advice}",
            )
        return None


def client_version(header: str | None, path_version: str | None) -> ClientVersion:
    """The client of a request; the header wins over the path, and neither is fine.

    Args:
        header: `npm-1.48.0` or the like: a name, and the longest semantic version it ends in.
        path_version: of `/api/{version}/sync`, which browsers use as they can't set headers.

    Raises:
        DeploymentProblem: one of them can't be read.
    """
    if header is not None:
        parts = header.split("-")
        if len(parts) < 2:
            raise _invalid(f"Convex-Client is a name and a version, not {header!r}")
        for at in range(1, len(parts)):
            if (version := _parse("-".join(parts[at:]))) is not None:
                return ClientVersion(_kind("-".join(parts[:at])), version)
        return ClientVersion(_kind(parts[0]))
    if path_version is not None:
        version = _parse(path_version)
        if version is None:
            raise _invalid(f"{path_version!r} in the path is not a semantic version")
        return ClientVersion("npm", version)
    return ClientVersion()


def _kind(name: str) -> str:
    name = name.lower()
    return "python" if name == "python-convex" else name


def _parse(text: str) -> Semver | None:
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3]), match[4] is None


def _invalid(message: str) -> DeploymentProblem:
    return DeploymentProblem("BadRequest", "InvalidClientVersion", message)


def accepts_deflate(offers: list[str]) -> bool:
    """Whether frames are compressed: for exactly these two offers, as browsers make them.

    Args:
        offers: the values of `Sec-WebSocket-Extensions`.

    Source: convex-backend crates/common/src/http/websocket.rs.
    """
    each = (offer.strip() for value in offers for offer in value.split(","))
    accepted = ("permessage-deflate", "permessage-deflate; client_max_window_bits")
    return any(offer in accepted for offer in each)
