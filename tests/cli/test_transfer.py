"""`convex-async export` and `import`: nothing is lost or doubled, killed at any moment too."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convex_async.codec import decode, encode
from convex_async.local import Functions
from convex_async.testing import ServedDeployment, serve
from convex_async.transfer import state_path
from convex_async.values import ConvexInt64
from tests.cli.commands import command, environment, on_a_terminal, run


def backend() -> Functions:
    functions = Functions()

    @functions.mutation("rows:add_many")
    async def add_many(ctx: Any, rows: Any) -> None:
        for row in rows:
            if row.get("bad"):
                raise ValueError("a bad row")
            await ctx.db.insert("rows", row)

    @functions.query("rows:page")
    async def page(ctx: Any, paginationOpts: Any) -> Any:
        return await ctx.db.query("rows").paginate(paginationOpts)

    return functions


@pytest.fixture
def served() -> Iterator[ServedDeployment]:
    with serve(backend()) as deployment:
        yield deployment


def write(path: Path, count: int) -> None:
    with path.open("wb") as file:
        for number in range(count):
            file.write(encode({"n": ConvexInt64(number), "text": f"row {number}"}) + b"\n")


def numbers(served: ServedDeployment) -> list[int]:
    return [row["n"] for row in served.tables["rows"]]


def test_there_and_back(served: ServedDeployment, tmp_path: Path) -> None:
    source, copy = tmp_path / "rows.jsonl", tmp_path / "copy.jsonl"
    write(source, 1234)
    ran = run("import", str(source), "rows:add_many", CONVEX_URL=served.url)
    assert json.loads(ran.stdout) == {"rows": 1234, "batches": 3}, ran.stderr
    assert not state_path(source).exists()
    assert numbers(served) == list(range(1234))
    ran = run("export", "rows:page", "-o", str(copy), CONVEX_URL=served.url)
    assert json.loads(ran.stdout)["documents"] == 1234, ran.stderr
    rows = [decode(line) for line in copy.read_bytes().splitlines()]
    assert isinstance(rows[0]["n"], ConvexInt64)
    assert rows == list(served.tables["rows"])
    served.tables["rows"] = []
    assert run("import", str(copy), "rows:add_many", CONVEX_URL=served.url).returncode == 0
    assert numbers(served) == list(range(1234))


def test_a_bar_on_a_terminal_and_the_counts_at_the_end(
    served: ServedDeployment, tmp_path: Path
) -> None:
    write(tmp_path / "rows.jsonl", 1000)
    code, seen = on_a_terminal(
        "import", str(tmp_path / "rows.jsonl"), "rows:add_many", CONVEX_URL=served.url
    )
    assert code == 0
    assert "importing rows.jsonl" in seen
    assert "1000" in seen
    output = tmp_path / "copy.jsonl"
    code, seen = on_a_terminal("export", "rows:page", "-o", str(output), CONVEX_URL=served.url)
    assert code == 0
    assert "exporting rows:page" in seen
    assert re.search(r'"documents"\S*: \S*1000', seen)  # it stays when the bar is gone
    assert len(output.read_bytes().splitlines()) == 1000


@pytest.mark.timeout(150)
def test_killed_at_ten_moments_it_imports_each_row_once(
    served: ServedDeployment, tmp_path: Path
) -> None:
    count, lives = 60_000, 0
    source = tmp_path / "rows.jsonl"
    write(source, count)
    moments = random.Random(5)
    while lives < 10:
        before = len(served.calls)
        process = subprocess.Popen(
            command("import", str(source), "rows:add_many"),
            env=environment(CONVEX_URL=served.url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and len(served.calls) == before:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL  # it was in the middle of it
        assert state_path(source).exists()
        lives += 1
    assert len(served.tables["rows"]) < count
    ran = run("import", str(source), "rows:add_many", CONVEX_URL=served.url)
    assert json.loads(ran.stdout)["rows"] == count, ran.stderr
    assert sorted(numbers(served)) == list(range(count))


def test_a_row_that_is_refused_is_named_and_the_rest_goes_on_when_it_is_mended(
    served: ServedDeployment, tmp_path: Path
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"n": 1}\n' * 600 + '{"bad": true}\n')
    ran = run("import", str(source), "rows:add_many", CONVEX_URL=served.url)
    assert ran.returncode == 1
    assert "lines 501 to 601: rows:add_many" in ran.stderr
    assert "the same command resumes" in ran.stderr
    assert len(served.tables["rows"]) == 500
    source.write_text('{"n": 1}\n' * 600)
    changed = run("import", str(source), "rows:add_many", CONVEX_URL=served.url)
    assert changed.returncode == 1
    assert "changed since its import began" in changed.stderr
    served.tables["rows"] = []
    again = run("import", str(source), "rows:add_many", "--restart", CONVEX_URL=served.url)
    assert again.returncode == 0, again.stderr
    assert len(served.tables["rows"]) == 600


def test_what_is_no_json_is_named_by_its_line(served: ServedDeployment, tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"n": 1}\n{"n": \n')
    ran = run("import", str(source), "rows:add_many", CONVEX_URL=served.url)
    assert ran.returncode == 1
    assert "line 2: " in ran.stderr
    assert run("import", str(source), "x:y", "--url", "http://127.0.0.1:1").returncode in (1, 3)


def test_an_export_that_fails_leaves_the_file_as_it_was(
    served: ServedDeployment, tmp_path: Path
) -> None:
    output = tmp_path / "rows.jsonl"
    output.write_text("before")
    assert run("export", "no:such", "-o", str(output), CONVEX_URL=served.url).returncode == 1
    assert output.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
