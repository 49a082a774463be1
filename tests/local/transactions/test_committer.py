"""Mutations that are ready together are written together, and memory has what the disk has."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.codec import encode_arguments
from convex_async.local import Functions
from convex_async.local.engine.engine import Engine
from convex_async.local.store.documents import Commit
from convex_async.local.store.durable import Durable
from convex_async.local.transactions import committer
from convex_async.local.transactions.outcome import MutationRun
from tests.local.calls import mutate, read, running, until

SESSION = "00000000-0000-4000-8000-000000000000"


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("n:add")
    async def add(ctx: Any, n: float) -> None:
        # Of several pages of the file, so that a full disk has no room for it.
        await ctx.db.insert("numbers", {"n": n, "text": "x" * 20_000})

    @functions.mutation("n:count")
    async def count(ctx: Any) -> Any:
        counter = await ctx.db.query("counters").first()
        if counter is None:
            await ctx.db.insert("counters", {"n": 1})
            return 1
        await ctx.db.patch(counter["_id"], {"n": counter["n"] + 1})
        return counter["n"] + 1

    @functions.query("n:all")
    async def everything(ctx: Any) -> Any:
        return [document["n"] for document in await ctx.db.query("numbers").collect()]

    return functions


class Writes:
    """The file's transactions: how many commits each has, and a hold on them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.fails = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        write = Durable._write

        def held(durable: Durable, commits: Any, *args: Any) -> None:
            self.sizes.append(len(commits))
            self.may_go_on.wait(5)
            if self.fails:
                raise sqlite3.OperationalError("disk I/O error")
            write(durable, commits, *args)

        monkeypatch.setattr(Durable, "_write", held)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(monkeypatch)


@pytest.fixture
async def engine(tmp_path: Path, writes: Writes) -> AsyncIterator[Engine]:
    async with running(backend(), tmp_path / "data.sqlite3") as engine:
        yield engine


def start(engine: Engine, n: int, *, path: str = "n:add") -> asyncio.Task[MutationRun]:
    args = encode_arguments({"n": n} if path == "n:add" else {})
    return asyncio.create_task(engine.mutation(path, args, identity=None, session=(SESSION, n)))


async def on_its_way(engine: Engine, writes: Writes) -> asyncio.Task[MutationRun]:
    """A mutation whose write is held."""
    writes.may_go_on.clear()
    task = start(engine, 0)
    await until(lambda: len(writes.sizes) == 1)
    return task


async def test_what_is_ready_in_one_turn_is_one_write(engine: Engine, writes: Writes) -> None:
    runs = await asyncio.gather(*(start(engine, n) for n in range(100)))
    assert writes.sizes == [100]
    timestamps = [run.ts for run in runs]
    assert timestamps == sorted(set(timestamps))  # type: ignore[type-var]
    assert await read(engine, "n:all") == list(range(100))


async def test_what_becomes_ready_during_a_write_is_the_next(
    engine: Engine, writes: Writes
) -> None:
    tasks = [await on_its_way(engine, writes)]
    for n in range(1, 20):
        tasks.append(start(engine, n))
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    assert await read(engine, "n:all") == []
    writes.may_go_on.set()
    await asyncio.gather(*tasks)
    assert writes.sizes == [1, 19]


async def test_those_of_a_group_that_conflict_run_again(engine: Engine, writes: Writes) -> None:
    values = await asyncio.gather(*(mutate(engine, "n:count") for _ in range(4)))
    assert sorted(values) == [1, 2, 3, 4]
    assert writes.sizes == [1, 1, 1, 1]


async def test_a_request_that_is_twice_in_a_group_runs_once(engine: Engine, writes: Writes) -> None:
    first, second = await asyncio.gather(start(engine, 7), start(engine, 7))
    assert first == second
    assert writes.sizes == [1]
    assert await read(engine, "n:all") == [7]


async def test_a_write_that_fails_fails_its_group_which_can_be_sent_again(
    engine: Engine, writes: Writes
) -> None:
    held = await on_its_way(engine, writes)
    later = [start(engine, n) for n in (1, 2)]
    await asyncio.sleep(0)
    writes.fails = True
    writes.may_go_on.set()
    ends = await asyncio.gather(held, *later, return_exceptions=True)
    assert [type(end) for end in ends] == [sqlite3.OperationalError] * 3
    assert await read(engine, "n:all") == []
    writes.fails = False
    # The same requests: those that failed were not remembered as done.
    await asyncio.gather(*(start(engine, n) for n in (0, 1, 2)))
    assert await read(engine, "n:all") == [0, 1, 2]


async def test_a_caller_that_leaves_takes_back_what_is_not_on_its_way(
    engine: Engine, writes: Writes
) -> None:
    held = await on_its_way(engine, writes)
    waiting = start(engine, 1)
    await asyncio.sleep(0)
    for task in (held, waiting):
        task.cancel()
    await asyncio.wait([held, waiting])
    writes.may_go_on.set()
    await start(engine, 2)
    assert await read(engine, "n:all") == [0, 2]


async def test_answers_are_forgotten_after_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.sqlite3"
    monkeypatch.setattr("convex_async.local.transactions.committer.REQUESTS_KEPT", -1)
    async with running(backend(), path) as engine:
        for n in (7, 7, 8):
            await start(engine, n)
        assert await read(engine, "n:all") == [7, 7, 8]
    monkeypatch.undo()
    async with running(backend(), path) as engine:
        for n in (8, 8):
            await start(engine, n)
        assert await read(engine, "n:all") == [7, 7, 8, 8]


@given(
    groups=st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(["lands", "fails", "is full", "is stopped"])),
        max_size=6,
    )
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_memory_has_what_the_file_has(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, str]]
) -> None:
    """Whatever writes fail: by an error before, or by a disk that is full in the middle."""
    path = tmp_path_factory.mktemp("group") / "data.sqlite3"

    async def check() -> None:
        async with running(backend(), path) as engine:
            durable = engine._committer._durable
            assert durable is not None
            connection = durable._connection
            acknowledged: set[float] = set()
            for number, (size, fate) in enumerate(groups):
                if fate == "is full":
                    pages = connection.execute("PRAGMA page_count").fetchone()[0]
                    connection.execute(f"PRAGMA max_page_count = {pages}")
                elif fate == "fails":
                    connection.execute("PRAGMA query_only = 1")
                elif fate == "is stopped":  # in an INSERT, which ends the transaction too
                    stops = iter([1])
                    connection.set_progress_handler(partial(next, stops, 0), 20)
                names = range(number * 10, number * 10 + size)
                runs = await asyncio.gather(
                    *(start(engine, n) for n in names), return_exceptions=True
                )
                acknowledged |= {
                    float(n)
                    for n, run in zip(names, runs, strict=True)
                    if isinstance(run, MutationRun)
                }
                assert all(isinstance(run, MutationRun) for run in runs) == (fate == "lands")
                connection.set_progress_handler(None, 0)
                connection.execute("PRAGMA max_page_count = 1000000")
                connection.execute("PRAGMA query_only = 0")
                assert set(await read(engine, "n:all")) == acknowledged
                in_file = {document.wire for document in durable.documents()}
                assert in_file == {document.wire for document in engine.store.documents()}
        async with running(backend(), path) as engine:
            assert set(await read(engine, "n:all")) == acknowledged

    asyncio.run(check())


@pytest.mark.parametrize("has_file", [False, True], ids=["memory", "file"])
async def test_what_follows_a_commit_can_not_fail_it(
    tmp_path: Path, has_file: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data.sqlite3" if has_file else None
    async with running(backend(), path) as engine:
        seen: list[tuple[int, int]] = []

        def raises(commit: Commit) -> None:
            raise OSError("a listener's own trouble")

        def notes(commit: Commit) -> None:
            # All of the group is there before anybody hears of one.
            seen.append((commit.ts, engine.latest_ts))

        engine.on_commit.insert(0, raises)
        engine.on_commit.append(notes)
        runs = await asyncio.gather(*(start(engine, n) for n in range(3)))
        assert [ts for ts, _ in seen] == [run.ts for run in runs]
        if has_file:
            assert {latest for _, latest in seen} == {runs[-1].ts}
        assert await read(engine, "n:all") == [0, 1, 2]
        assert [record.message for record in caplog.records] == ["what follows a commit failed"] * 3
    if path is not None:
        async with running(backend(), path) as engine:
            assert await read(engine, "n:all") == [0, 1, 2]


async def test_a_query_that_can_not_be_told_keeps_no_other_from_it(engine: Engine) -> None:
    told: list[int] = []

    def raises(_ts: int) -> None:
        raise RuntimeError("the socket is gone")

    run = await engine.query("n:all", b"{}", identity=None)
    for on_invalid in (raises, told.append, raises, told.append):
        engine.watch(run.read_set, run.ts, on_invalid)
    done = await start(engine, 1)
    assert told == [done.ts, done.ts]


async def test_commit_times_follow_the_clock_and_never_go_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = time.time_ns()
    (first,) = [await start(engine, 1)]
    assert first.ts is not None
    assert before <= first.ts <= time.time_ns()
    clock = iter([first.ts + 10**9, first.ts - 10**9, first.ts - 10**9])
    monkeypatch.setattr(committer, "time", SimpleNamespace(time_ns=lambda: next(clock)))
    later = [(await start(engine, n)).ts for n in (2, 3, 4)]
    assert later == [first.ts + 10**9, first.ts + 10**9 + 1, first.ts + 10**9 + 2]
