"""A deployment in a thread: from synchronous code, from a loop, and for unittest's runners."""

from __future__ import annotations

import asyncio
import threading
import unittest
from pathlib import Path
from typing import Any

import pytest

from convex_async import ConvexClient
from convex_async.local import Functions
from convex_async.sync import ConvexClient as BlockingClient
from convex_async.testing import ServedDeployment, serve
from tests.testing.projects import BACKEND


def backend() -> Functions:
    names: dict[str, Any] = {}
    exec(BACKEND, names)
    functions: Functions = names["functions"]
    return functions


def test_it_blocks_where_no_loop_runs() -> None:
    with serve(backend()) as deployment, BlockingClient(deployment.url) as client:
        client.mutation("tasks:create", {"text": "x"})
        assert deployment.run("tasks:list") == ["x"]
        deployment.advance(3600)
        assert len(deployment.tables["reminders"]) == 1
        deployment.tables["tasks"] = []
        assert client.query("tasks:list") == []
        deployment.assert_called("tasks:create", times=1)
        assert deployment.issue_token("ada").count(".") == 2
        assert deployment.site_url.startswith("http://")
        assert deployment.admin_key


async def test_it_is_awaited_where_a_loop_runs() -> None:
    with serve(backend()) as deployment:
        async with ConvexClient(deployment.url) as client:
            await client.mutation("tasks:create", {"text": "x"})
            assert await deployment.run("tasks:list") == ["x"]
            await deployment.advance(3600)
            assert len(deployment.tables["reminders"]) == 1


async def test_faults_act_in_its_loop() -> None:
    with serve(backend()) as deployment:
        async with ConvexClient(deployment.url) as client:
            await client.query("tasks:list")
            deployment.faults.drop()
            assert await client.query("tasks:list") == []
            assert client.state.connection_count == 2
            deployment.faults.drop_after_commit = 1
            assert deployment.faults.drop_after_commit == 1
            await client.mutation("tasks:create", {"text": "once"})
            assert await client.query("tasks:list") == ["once"]


def test_a_file_and_a_port_are_options(tmp_path: Path) -> None:
    for expected in ([], ["x"]):
        with serve(backend(), path=tmp_path / "data.sqlite3") as deployment:
            assert deployment.run("tasks:list") == expected
            deployment.tables["tasks"].insert({"text": "x"})


def test_what_goes_wrong_at_the_start_is_raised() -> None:
    with serve(backend()) as deployment:
        port = int(deployment.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address"), serve(backend(), port=port):
            raise AssertionError
    with pytest.raises(TypeError, match="no folder"), serve("nowhere/at/all"):
        raise AssertionError
    with pytest.raises(TypeError, match="Functions"), serve("tests.testing.projects:BACKEND"):
        raise AssertionError


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with serve(backend()) as deployment:
        deployment.run("tasks:list")
    assert threading.active_count() == before


class AsInDjango(unittest.TestCase):
    """Django's runner is unittest's: a class has one deployment, set up before its tests."""

    deployment: ServedDeployment

    @classmethod
    def setUpClass(cls) -> None:
        cls.deployment = cls.enterClassContext(serve(backend()))

    def test_sync(self) -> None:
        with BlockingClient(self.deployment.url) as client:
            client.mutation("tasks:create", {"text": "x"})
            assert client.query("tasks:list") == ["x"]


async def test_it_ends_while_clients_are_connected() -> None:
    with serve(backend()) as deployment:
        client = ConvexClient(deployment.url)
        subscription = client.subscribe("tasks:list")
        assert await subscription.get(timeout=5) == []
    async with asyncio.timeout(5):
        await client.close()
