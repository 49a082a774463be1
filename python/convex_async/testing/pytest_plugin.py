"""pytest fixtures: a fresh deployment for each test, and a client of it.

A project says what the deployment runs by overriding `convex_functions`. With `CONVEX_TEST_URL` in
the environment the same tests run against that deployment.

Nothing but pytest is imported here before a fixture is used: pytest imports it in every project.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convex_async.testing.served import ServedDeployment

TEST_URL = "CONVEX_TEST_URL"
# Calls that the report of a failed test shows, the latest.
SHOWN_CALLS = 50


@pytest.fixture
def convex_functions() -> Any:
    """What `convex_deployment` runs: to be overridden by the project.

    A `convex_async.local.Functions`, `"app.backend:functions"`, or a folder such as `"./convex"`.
    """
    raise pytest.UsageError(
        "say what the deployment runs, by a fixture of your own in conftest.py:\n\n"
        "    @pytest.fixture\n"
        "    def convex_functions():\n"
        '        return "app.backend:functions"'
    )


@pytest.fixture
def convex_deployment(request: pytest.FixtureRequest) -> Iterator[ServedDeployment]:
    """A fresh deployment of `convex_functions`, in a thread of its own.

    What is awaited of a `LocalDeployment` blocks in a synchronous test.
    """
    if os.environ.get(TEST_URL):
        pytest.skip(f"it needs a local deployment, and {TEST_URL} names another one")
    functions = request.getfixturevalue("convex_functions")
    from convex_async.testing.served import serve

    with serve(functions) as deployment:
        yield deployment


@pytest.fixture
def convex_url(request: pytest.FixtureRequest) -> str:
    """The URL of the test's deployment, or what `CONVEX_TEST_URL` says."""
    url = os.environ.get(TEST_URL)
    if not url:
        url = request.getfixturevalue("convex_deployment").url
    assert isinstance(url, str)
    return url


@pytest.fixture
def convex_client(request: pytest.FixtureRequest, convex_url: str) -> Iterator[Any]:
    """A client of the test's deployment: a blocking one in a test that is no coroutine."""
    if not inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        from convex_async.sync.client import ConvexClient as BlockingClient

        with BlockingClient(convex_url) as blocking:
            yield blocking
        return
    from convex_async.client.convex_client import ConvexClient

    client = ConvexClient(convex_url)
    test = request.node.obj

    @functools.wraps(test)
    async def closing(*args: Any, **kwargs: Any) -> Any:
        # A client is closed in the loop that it ran in, which is the test's own.
        try:
            return await test(*args, **kwargs)
        finally:
            await client.close()

    request.node.obj = closing
    yield client


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Show the calls there were beside a test that failed."""
    outcome: Any = yield
    deployment = getattr(item, "funcargs", {}).get("convex_deployment")
    if deployment is None or call.when != "call" or not outcome.get_result().failed:
        return
    calls = deployment.calls
    left_out = [f"… {len(calls) - SHOWN_CALLS} earlier ones"] if len(calls) > SHOWN_CALLS else []
    lines = [*left_out, *map(repr, calls[-SHOWN_CALLS:])] or ["none"]
    outcome.get_result().sections.append(("Calls of Convex functions", "\n".join(lines)))
