"""URLs of a deployment, as users write them."""

from __future__ import annotations

import pytest

from convex_async.deployment.url import DeploymentUrl


@pytest.mark.trap(41)
@pytest.mark.parametrize("ending", ["", "/", "//", "/api", "/api/"])
def test_a_deployment_url_is_normalised(ending: str) -> None:
    """A trailing slash would make `//api/sync`, which is another path."""
    url = DeploymentUrl.parse(f"https://happy-animal-123.convex.cloud{ending}")
    assert url.url == "https://happy-animal-123.convex.cloud"
    assert url.sync_url == "wss://happy-animal-123.convex.cloud/api/sync"


@pytest.mark.trap(41)
def test_the_site_url_is_refused_with_the_right_one() -> None:
    """`.convex.site` serves HTTP actions and has no API."""
    with pytest.raises(ValueError, match=r"https://happy-animal-123\.convex\.cloud"):
        DeploymentUrl.parse("https://happy-animal-123.convex.site")
