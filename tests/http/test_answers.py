"""What the answers of the HTTP API mean."""

from __future__ import annotations

import pytest

from convex_async import ConvexError, FunctionError
from convex_async.http import ConvexHttpClient
from tests.http.conftest import ScriptedDeployment, failure


@pytest.mark.trap(43)
@pytest.mark.parametrize("status", [200, 560])
async def test_success_is_what_the_body_says(deployment: ScriptedDeployment, status: int) -> None:
    """A function that failed is answered with 200, or with 560: `status` tells."""
    deployment.script(
        failure("Server Error", status), failure("Server Error", status, errorData={"code": "FULL"})
    )
    async with ConvexHttpClient(deployment.url) as client:
        with pytest.raises(FunctionError):
            await client.mutation("a:b")
        with pytest.raises(ConvexError) as caught:
            await client.mutation("a:b")
    assert caught.value.data == {"code": "FULL"}
