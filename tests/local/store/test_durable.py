"""What was acknowledged survives SIGKILL, once; what was not is there wholly or not at all."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.local import Functions, LocalDeployment
from convex_async.local.context.jobs import SCHEDULED
from convex_async.local.store.durable import Durable
from convex_async.local.store.secrets import Secrets
from tests.local.calls import read, running, until
from tests.local.storm import backend

# Within a transaction of the file, between it and its answers, or at any instant.
KILLS = st.one_of(
    st.integers(1, 8).map(lambda number: f"write {number}"),
    st.integers(1, 60).map(lambda number: f"statement {number}"),
    st.integers(0, 40).map(lambda milliseconds: f"seconds {milliseconds / 1000}"),
)


@pytest.fixture(scope="module")
def storms() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.local.storm"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=Path(__file__).parents[3],
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def acknowledged(storms: subprocess.Popen[str], request: str) -> set[int]:
    """The numbers that one storm acknowledged before its end."""
    assert storms.stdin is not None
    assert storms.stdout is not None
    print(request, file=storms.stdin)
    numbers = set()
    while (line := storms.stdout.readline()) != "\n":
        assert line, "the storms ended"
        numbers.add(int(line))
    return numbers


async def stored(path: Path) -> list[int]:
    """The numbers that are there, in order, of which no half is missing."""
    async with running(backend(path), path) as engine:
        left, right = await read(engine, "n:all")
    assert sorted(left) == sorted(right)
    return sorted(int(n) for n in left)


@given(in_flight=st.integers(1, 12), kills=st.lists(KILLS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_kill_9_in_a_storm_of_mutations(
    storms: subprocess.Popen[str], in_flight: int, kills: list[str]
) -> None:
    """Each process sends again, as a client does, what those before it did not acknowledge."""
    answered: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.sqlite3"
        for kill in kills:
            first = next(n for n in range(len(answered) + 1) if n not in answered)
            answered |= acknowledged(storms, f"n:add {path} {first} {in_flight} {kill}")
            there = asyncio.run(stored(path))
            assert len(there) == len(set(there)), "a mutation ran twice"
            assert answered <= set(there), "an acknowledged mutation is lost"


async def settled(path: Path) -> tuple[list[int], list[float]]:
    """The numbers of the scheduled mutations that ran, and the cron's runs, once no job is left."""
    async with running(backend(path), path) as engine:

        def is_settled() -> bool:
            return not any(
                document.fields["state"]["kind"] in ("pending", "inProgress")
                for document in engine.store.documents()
                if document.table == SCHEDULED
            )

        await until(is_settled)
        left, _ = await read(engine, "n:all")
        return sorted(int(n) for n in left), await read(engine, "n:ticks")


@given(in_flight=st.integers(1, 6), kills=st.lists(KILLS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_kill_9_in_a_storm_of_jobs_and_cron_runs(
    storms: subprocess.Popen[str], in_flight: int, kills: list[str]
) -> None:
    """A job that is a mutation runs once; one that is an action at most once; a cron's run once."""
    answered: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.sqlite3"
        for kill in kills:
            first = next(n for n in range(len(answered) + 1) if n not in answered)
            answered |= acknowledged(storms, f"n:schedule {path} {first} {in_flight} {kill}")
        mutations, ticks = asyncio.run(settled(path))
        acted = path.with_name("acted")
        actions = acted.read_text().split() if acted.exists() else []
    assert len(mutations) == len(set(mutations)), "a scheduled mutation ran twice"
    assert answered <= set(mutations), "a scheduled mutation did not run"
    assert len(actions) == len(set(actions)), "a scheduled action ran twice"
    assert {int(n) for n in actions} <= set(mutations)
    assert len(ticks) == len(set(ticks)), "a cron's run happened twice"


OPENS = """
import asyncio, sys
from pathlib import Path
from convex_async.local.store.durable import Durable
try:
    Durable(Path(sys.argv[1]))
except OSError as error:
    print(error)
"""


def test_a_file_has_one_owner(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    told = f"{path} is open in another deployment: a file has one at a time"
    durable = Durable(path)
    with pytest.raises(OSError, match="is open in another deployment"):
        Durable(path)
    other = [sys.executable, "-c", OPENS, str(path)]
    assert subprocess.run(other, capture_output=True, text=True).stdout.strip() == told
    durable.close()
    Durable(path).close()


async def test_two_deployments_of_one_file_do_not_diverge(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    async with LocalDeployment(Functions(), path) as first:
        second = LocalDeployment(Functions(), path)
        with pytest.raises(OSError, match="is open in another deployment"):
            await second.start()
        assert first.url
    async with second:
        assert second.url


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE documents (id TEXT)")


def later_form(path: Path) -> None:
    Durable(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "can't be opened: unable to open"),
        (lambda path: path.write_text("# not a database" * 100), "file is not a database"),
        (other_database, "is no file of a local deployment's data, but of something else"),
        (later_form, "but in form 99, not 1"),
    ],
)
def test_what_is_no_file_of_ours_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], Any], told: str
) -> None:
    path = tmp_path / "data"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(OSError, match=re.escape(told)):
        Durable(path)
    assert before is None or path.read_bytes() == before
    with pytest.raises(OSError, match="nowhere"):
        Durable(tmp_path / "nowhere" / "data")


def test_secrets_are_kept_with_the_data(tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite3"
    found: list[bytes] = []
    for _ in range(2):
        durable = Durable(path)
        secrets = durable.secrets()
        found.append(secrets.get("a"))
        assert secrets.keep("issuer", b"first") == b"first"
        assert secrets.keep("issuer", b"second") == b"first"
        assert found[0].hex() not in repr(secrets)
        durable.close()
    assert found[0] == found[1]
    assert len(found[0]) == 32
    assert Secrets().get("a") != Secrets().get("a")
