"""The name and the version that the client goes by."""

from __future__ import annotations

import pytest

from convex_async.deployment.url import DeploymentUrl
from convex_async.local.server.client_version import client_version
from convex_async.version import CLIENT_HEADER, __version__


@pytest.mark.trap(37)
def test_the_client_goes_by_its_own_name() -> None:
    """Who says `npm`, or puts a version in the path, asks for transitions in parts."""
    url = DeploymentUrl.parse("https://happy-animal-123.convex.cloud")
    assert url.sync_url == "wss://happy-animal-123.convex.cloud/api/sync"
    me = client_version(CLIENT_HEADER, None)
    assert me.client == "convex-async"
    assert not me.takes_chunks


@pytest.mark.trap(36)
def test_the_version_is_strictly_semantic() -> None:
    """`1.0` and `1.0a1` are refused with 400: three numbers, and a dash before a pre-release."""
    major, minor, patch = __version__.partition("-")[0].split(".")
    told = client_version(CLIENT_HEADER, None).version
    assert told is not None
    assert told[:3] == (int(major), int(minor), int(patch))
    for bad in ("1.0", "1.0a1"):
        assert client_version(f"convex-async-{bad}", None).version is None
