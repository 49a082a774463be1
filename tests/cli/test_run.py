"""`convex-async run`: results, exit codes, and what is kept out of sight."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from convex_async.cli.common import read_arguments
from convex_async.testing import ServedDeployment
from convex_async.values import ConvexInt64
from tests.cli.commands import on_a_terminal, run


def test_results_are_one_line_of_json_on_a_pipe(served: ServedDeployment) -> None:
    ran = run("run", "notes:add", "text=buy milk", "rank=2", CONVEX_URL=served.url)
    assert ran.returncode == 0
    assert json.loads(ran.stdout) == served.tables["notes"][0]["_id"]
    assert "adding" in ran.stderr
    listed = run("run", "notes:list", "{}", "--url", served.url)
    assert [note["text"] for note in json.loads(listed.stdout)] == ["buy milk"]
    assert listed.stdout.count("\n") == 1
    assert "\x1b" not in listed.stdout + listed.stderr
    assert json.loads(run("run", "notes:big", "--url", served.url).stdout) == str(2**60)


def test_on_a_terminal_they_are_laid_out(served: ServedDeployment) -> None:
    served.tables["notes"] = [{"text": "x"}]
    code, seen = on_a_terminal("run", "notes:list", CONVEX_URL=served.url)
    assert code == 0
    assert "\x1b[" in seen
    assert seen.count("\n") > 4


def test_exit_codes(served: ServedDeployment) -> None:
    url = ("--url", served.url)
    failed = run("run", "notes:add", "text=", *url)
    assert failed.returncode == 1
    assert '{"code":"EMPTY"}' in failed.stderr
    assert failed.stdout == ""
    assert run("run", "nobody:here", *url).returncode == 1
    assert run("run", "notes:add", "text", *url).returncode == 2
    assert run("run", "notes:list", "--url", "example").returncode == 2
    assert run("run", "notes:list", "--url", "http://127.0.0.1:1").returncode == 3
    assert run("run", "notes:list", *url, CONVEX_DEPLOY_KEY="local|no").returncode == 4


def test_an_admin_key_acts_as_a_user_and_is_shown_nowhere(served: ServedDeployment) -> None:
    identity = json.dumps({"subject": "ada", "issuer": "https://x"})
    arguments = ("run", "users:me", "--identity", identity, "--url", served.url)
    for ran in (
        run(*arguments, CONVEX_DEPLOY_KEY=served.admin_key),
        run(*arguments, "--admin-key", served.admin_key),
    ):
        assert ran.stdout == '"ada"\n', ran.stderr
        assert served.admin_key not in ran.stdout + ran.stderr
    secret = "local|0123456789abcdef"
    refused = run(*arguments, f"--admin-key={secret}")
    assert refused.returncode == 4
    assert secret not in refused.stdout + refused.stderr


def test_a_token_is_of_a_user(served: ServedDeployment) -> None:
    token = served.issue_token("bob")
    ran = run("run", "users:me", "--url", served.url, CONVEX_AUTH_TOKEN=token)
    assert ran.stdout == '"bob"\n'


def test_arguments_are_json_where_they_parse_as_json() -> None:
    assert read_arguments(["a=1", "b=x y", 'c={"d": [true]}', "e=null", "f=", "g=a=b"]) == {
        "a": 1, "b": "x y", "c": {"d": [True]}, "e": None, "f": "", "g": "a=b",
    }  # fmt: skip
    assert read_arguments(['{"n": {"$integer": "AQAAAAAAAAA="}}']) == {"n": ConvexInt64(1)}
    assert read_arguments([]) == {}


def test_files_go_there_and_back(served: ServedDeployment, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 100)
    stored = run("upload", "a.bin", "--via", "files:make_url", cwd=tmp_path, CONVEX_URL=served.url)
    assert stored.returncode == 0, stored.stderr
    storage_id = json.loads(stored.stdout)
    got = run("download", storage_id, "--via", "files:url", "-o", "b.bin", cwd=tmp_path,
              CONVEX_URL=served.url)  # fmt: skip
    assert json.loads(got.stdout) == {"path": "b.bin", "bytes": 25600}
    assert (tmp_path / "b.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
    assert run("download", storage_id, "-o", "c.bin", CONVEX_URL=served.url).returncode == 2


def test_a_file_there_and_back_on_a_terminal(served: ServedDeployment, tmp_path: Path) -> None:
    source, copy = tmp_path / "a.bin", tmp_path / "b.bin"
    source.write_bytes(bytes(range(256)) * 5000)
    code, seen = on_a_terminal(
        "upload", str(source), "--via", "files:make_url", CONVEX_URL=served.url
    )
    assert code == 0, seen
    assert "a.bin" in seen  # the bar, which is gone at the end
    assert "1.3/1.3 MB" in seen
    (storage_id,) = re.findall(r'"([a-z0-9]{31,37})"', seen)
    code, seen = on_a_terminal(
        "download", storage_id, "--via", "files:url", "-o", str(copy), CONVEX_URL=served.url
    )
    assert code == 0, seen
    assert "1.3/1.3 MB" in seen
    assert copy.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ["run", "watch", "codegen", "upload", "download"])
def test_each_help_has_an_example(name: str) -> None:
    from importlib import import_module

    command = import_module(f"convex_async.cli.{name}").command
    assert command.epilog.startswith(f"Example: convex-async {name} ")
