"""What the answers of the HTTP API mean."""

from __future__ import annotations

import pytest
from aiohttp import web

from convex_async import CodecError, ConvexError, FunctionError, RemoteProtocolError
from convex_async.http import ConvexHttpClient
from convex_async.http.answers import retry_after
from tests.http.conftest import ScriptedDeployment, failure, success


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


@pytest.mark.parametrize(
    "answer",
    [
        success({"count": "many"}),
        success({"$integer": "x"}),
        failure("Server Error", errorData={"$bytes": 5}),
    ],
    ids=["of another type", "no value", "data that is no value"],
)
async def test_an_answer_of_the_wrong_shape_tells_that_the_mutation_may_have_run(
    deployment: ScriptedDeployment, answer: web.Response
) -> None:
    deployment.script(answer)
    async with ConvexHttpClient(deployment.url) as client:
        with pytest.raises(CodecError) as caught:
            await client.mutation("a:b", type=dict[str, int])
    assert caught.value.outcome == "unknown"
    assert "a:b" in caught.value.__notes__[0]
    assert len(deployment.requests) == 1


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b'{"status":"success","value":' + b"[" * 100_000], ids=["a", "b", "deep"]
)
async def test_a_body_that_is_no_answer_tells_it_too(
    deployment: ScriptedDeployment, text: bytes
) -> None:
    deployment.script(web.Response(body=text, content_type="application/json"))
    async with ConvexHttpClient(deployment.url) as client:
        with pytest.raises(RemoteProtocolError, match="is the URL right") as caught:
            await client.mutation("a:b")
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, 0.0), ("2.5", 2.5), ("-1", 0.0), ("soon", 0.0)]
)
def test_what_retry_after_asks_for(header: str | None, seconds: float) -> None:
    assert retry_after({} if header is None else {"Retry-After": header}) == seconds
