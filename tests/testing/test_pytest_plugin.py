"""The fixtures in a project of a user's own, by the entry point, under each kind of runner."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.testing.projects import PACKAGES, run_pytest, write_project

# pytest-asyncio warns until it is told.
ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function")

SYNC = """
from convex_async.sync import ConvexClient


def test_by_url(convex_url, convex_deployment):
    with ConvexClient(convex_url) as client:
        client.mutation("tasks:create", {"text": "x"})
        assert client.query("tasks:list") == ["x"]
    convex_deployment.assert_called("tasks:create", {"text": "x"}, times=1)
    assert convex_deployment.tables["tasks"][0]["text"] == "x"


def test_the_next_one_is_fresh(convex_client, convex_deployment):
    assert convex_client.query("tasks:list") == []
    convex_deployment.tables["tasks"].insert({"text": "there"})
    assert convex_client.query("tasks:list") == ["there"]


def test_time_passes(convex_client, convex_deployment):
    convex_client.mutation("tasks:create", {"text": "x"})
    assert list(convex_deployment.tables["reminders"]) == []
    convex_deployment.advance(3600)
    assert [r["text"] for r in convex_deployment.tables["reminders"]] == ["x"]
    assert convex_deployment.run("tasks:list") == ["x"]
"""

LIVE = """
import pytest

pytestmark = pytest.mark.{mark}


async def test_live(convex_client, convex_deployment):
    async with convex_client.subscribe("tasks:list") as tasks:
        assert await tasks.get(timeout=5) == []
        await convex_client.mutation("tasks:create", {{"text": "x"}})
        assert await tasks.get(timeout=5) == ["x"]
    await convex_deployment.advance(3600)
    assert [r["text"] for r in convex_deployment.tables["reminders"]] == ["x"]
    assert await convex_deployment.run("tasks:list") == ["x"]
    convex_deployment.faults.drop()
    assert await convex_client.query("tasks:list") == ["x"]


async def test_the_next_one_is_fresh(convex_client):
    assert await convex_client.query("tasks:list") == []
"""

ANYIO_BACKEND = """

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def test_plain_tests(tmp_path: Path) -> None:
    write_project(tmp_path, test_sync=SYNC)
    ran = run_pytest(tmp_path, "-p", "no:asyncio", "-p", "no:anyio")
    assert "3 passed" in ran.stdout, ran.stdout


def test_pytest_asyncio(tmp_path: Path) -> None:
    write_project(tmp_path, test_live=LIVE.format(mark="asyncio"), test_sync=SYNC)
    ran = run_pytest(tmp_path, *ASYNCIO)
    assert "5 passed" in ran.stdout, ran.stdout


def test_anyio(tmp_path: Path) -> None:
    write_project(tmp_path, test_live=LIVE.format(mark="anyio") + ANYIO_BACKEND)
    ran = run_pytest(tmp_path, "-p", "no:asyncio")
    assert "2 passed" in ran.stdout, ran.stdout


def test_xdist(tmp_path: Path) -> None:
    write_project(tmp_path, test_sync=SYNC)
    ran = run_pytest(tmp_path, "-p", "no:asyncio", "-n", "2")
    assert "3 passed" in ran.stdout, ran.stdout


def test_a_failed_test_shows_the_calls(tmp_path: Path) -> None:
    test = """
def test_fails(convex_client, convex_deployment):
    convex_client.mutation("tasks:create", {"text": "x"})
    convex_deployment.assert_called("tasks:create", {"text": "y"})
"""
    write_project(tmp_path, test_it=test)
    ran = run_pytest(tmp_path, "-p", "no:asyncio")
    assert ran.returncode == 1
    assert "was to be called at least once, and was called never" in ran.stdout
    assert "Calls of Convex functions" in ran.stdout
    assert '<mutation tasks:create {"text":"x"}>' in ran.stdout


def test_without_functions_it_says_what_to_write(tmp_path: Path) -> None:
    write_project(tmp_path, conftest="", test_it="def test_it(convex_url): pass\n")
    ran = run_pytest(tmp_path, "-p", "no:asyncio")
    assert ran.returncode == 1
    assert "def convex_functions():" in ran.stdout


def test_another_deployment_by_the_environment(tmp_path: Path) -> None:
    test = """
def test_url(convex_url):
    assert convex_url == "http://127.0.0.1:1"


def test_client(convex_client):
    assert convex_client.url == "http://127.0.0.1:1"


def test_local_only(convex_deployment):
    raise AssertionError
"""
    write_project(tmp_path, test_it=test)
    env = {"CONVEX_TEST_URL": "http://127.0.0.1:1"}
    ran = run_pytest(tmp_path, "-p", "no:asyncio", "-rs", env=env)
    assert "2 passed, 1 skipped" in ran.stdout, ran.stdout
    assert "CONVEX_TEST_URL names another one" in ran.stdout


def test_nothing_is_imported_before_a_fixture_is_used() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import convex_async.testing.pytest_plugin\n"
        "new = {name for name in set(sys.modules) - before if '.' not in name}\n"
        "assert new <= {'convex_async'}, new\n"
        "ours = {name for name in sys.modules if name.startswith('convex_async')}\n"
        "assert ours == {'convex_async', 'convex_async.version', 'convex_async.testing',\n"
        "                'convex_async.testing.pytest_plugin'}, ours\n"
    )
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={"PYTHONPATH": str(PACKAGES)}, timeout=30
    )


def test_the_plugin_costs_other_projects_next_to_nothing() -> None:
    script = "import pytest\nimport convex_async.testing.pytest_plugin\n"
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGES)},
        timeout=30,
    )
    microseconds = {
        found[2]: int(found[1])
        for found in re.finditer(r"\| +(\d+) \| +(convex_async\S*)", ran.stderr)
    }
    total = microseconds["convex_async.testing.pytest_plugin"] + microseconds["convex_async"]
    assert total < 20_000, microseconds


def test_the_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    write_project(tmp_path)
    ran = run_pytest(tmp_path, "--fixtures", "-p", "no:asyncio")
    for name in ("convex_functions", "convex_deployment", "convex_url", "convex_client"):
        assert re.search(rf"^{name} -- .*\n    \S", ran.stdout, re.M), ran.stdout
