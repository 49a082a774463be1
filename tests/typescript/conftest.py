"""A deployment of the app in TypeScript beside this file, and a client of it."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from convex_async import ConvexClient
from convex_async.local import LocalDeployment
from tests.interop.official import need

APP = Path(__file__).parent / "app"


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's folder, with the packages of its lock file installed."""
    need("node")
    need("npm")
    with (tmp_path_factory.getbasetemp().parent / "npm-app.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes, one installs
        if not (APP / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=APP, check=True, timeout=300)
    return APP / "convex"


@pytest.fixture
async def deployment(app: Path) -> AsyncIterator[LocalDeployment]:
    async with LocalDeployment.from_folder(app, env={"GREETING": "hello"}) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: LocalDeployment) -> AsyncIterator[ConvexClient]:
    async with ConvexClient(deployment.url, timeout=10, close_timeout=0.5) as client:
        yield client
