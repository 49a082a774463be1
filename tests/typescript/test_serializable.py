"""Mutations in TypeScript that run at once have the effect of some serial order of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings

from convex_async.local import LocalDeployment
from tests.local.calls import mutate, read
from tests.local.transactions.test_serializable import Step, serially, transactions

Run: TypeAlias = Callable[[list[list[Step]]], tuple[Any, Any]]


@pytest.fixture(scope="module", params=["memory", "file"])
def run(
    app: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """Runs transactions at once; the cells that are left, and what each saw."""
    path = tmp_path_factory.mktemp("data") / "data.sqlite3" if request.param == "file" else None
    deployment = LocalDeployment.from_folder(app, path=path)

    async def concurrently(transactions: list[list[Step]]) -> tuple[Any, Any]:
        engine = deployment._running()
        await mutate(engine, "cells:reset")
        await mutate(engine, "cells:run", steps=[["fill", 0, 1], ["fill", 2, 3], ["grow", 2, 3]])
        answers = await asyncio.gather(
            *(mutate(engine, "cells:run", steps=[list(s) for s in t]) for t in transactions)
        )
        return await read(engine, "cells:all"), answers

    with asyncio.Runner() as runner:
        runner.run(deployment.start())
        try:
            yield lambda transactions: runner.run(concurrently(transactions))
        finally:
            runner.run(deployment.close())


@pytest.mark.timeout(120)
def test_mutations_that_read_ranges_equal_some_serial_order(run: Run) -> None:
    @settings(max_examples=30, deadline=None)
    @given(transactions)
    def check(transactions: list[list[Step]]) -> None:
        got = run(transactions)
        orders = itertools.permutations(range(len(transactions)))
        assert any(serially(transactions, order) == got for order in orders)

    check()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([("sum", 3, 5), ("fill", 1, 2)], [("sum", 1, 2), ("fill", 3, 5)]),
        ([("last", 0, 2), ("fill", 4, 5)], [("last", 3, 6), ("fill", 1, 2)]),
        ([("undo", 3, 5), ("fill", 1, 2)], [("undo", 1, 2), ("fill", 3, 5)]),
        # What was passed over before the iteration ended counts as read.
        ([("odd", 2, 5), ("grow", 0, 1)], [("odd", 0, 1), ("grow", 2, 5)]),
    ],
)
def test_write_skew_is_not_possible(run: Run, one: list[Step], two: list[Step]) -> None:
    both = [one, two]
    assert run(both) in [serially(both, order) for order in ((0, 1), (1, 0))]
