"""A deployment that the commands of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from convex_async.testing import ServedDeployment, serve
from tests.cli.commands import BACKEND


@pytest.fixture
def served() -> Iterator[ServedDeployment]:
    names: dict[str, Any] = {}
    exec(BACKEND, names)
    with serve(names["functions"]) as deployment:
        yield deployment
