"""Mutations that outlive the process: each runs once, whenever it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

import pytest

from convex_async import ClientClosedError, ConvexClient, LocalProtocolError, OutboxError
from convex_async.local import LocalDeployment
from convex_async.outbox.outbox import outbox_path
from tests.integration.backend import make_functions

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


def fill(path: Path) -> None:
    path.write_text("a diary of more than a hundred characters" * 5)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def bytes_of(path: Path) -> bytes:
    """The file, and what SQLite has not moved into it yet."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


async def texts(deployment: LocalDeployment) -> list[str]:
    return [note["text"] for note in await deployment.run("notes:list")]


async def begin(client: ConvexClient, *notes: str) -> list[asyncio.Task[object]]:
    """Mutations that are called, and not answered yet."""
    tasks = [asyncio.create_task(client.mutation("notes:add", {"text": note})) for note in notes]
    await asyncio.sleep(0)
    return tasks


async def ended(tasks: list[asyncio.Task[object]]) -> list[str]:
    """How each ended, as the outcome of its ClientClosedError."""
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, ClientClosedError) for error in errors)
    return [error.outcome for error in errors if isinstance(error, ClientClosedError)]


async def test_an_answered_mutation_leaves_it(deployment: LocalDeployment, path: Path) -> None:
    async with ConvexClient(deployment.url, outbox=path) as client:
        calls = await begin(client, "a", "b")
        assert [entry.args for entry in client.outbox.pending] == [{"text": "a"}, {"text": "b"}]
        await asyncio.gather(*calls)
        assert client.outbox.pending == []
        assert await client.action("notes:echo", {"value": 1}) == 1


async def test_what_was_called_without_a_deployment_runs_in_the_next_process(path: Path) -> None:
    deployment = LocalDeployment(make_functions())
    async with deployment:
        url, port = deployment.url, int(deployment.url.rpartition(":")[2])
    async with ConvexClient(url, outbox=path) as client:
        calls = await begin(client, "1", "2", "3")
    assert await ended(calls) == ["unknown"] * 3  # they may run yet
    async with (
        LocalDeployment(make_functions(), port=port) as deployment,
        ConvexClient(url, outbox=path) as client,
    ):
        later = await begin(client, "4")
        assert [entry.request_id for entry in client.outbox.pending] == [0, 1, 2, 1000]
        await client.outbox.drained()
        await asyncio.gather(*later)
        assert await texts(deployment) == ["1", "2", "3", "4"]


async def test_a_commit_whose_answer_was_lost_is_not_repeated(
    deployment: LocalDeployment, path: Path
) -> None:
    async with ConvexClient(deployment.url, outbox=path, close_timeout=0.01) as client:
        await client.connect()
        deployment.faults.drop_after_commit = 1
        calls = await begin(client, "once")
        async for state in client.states():
            if not state.is_connected:
                break
    assert await ended(calls) == ["unknown"]
    assert await texts(deployment) == ["once"]
    async with ConvexClient(deployment.url, outbox=path) as client:
        await client.outbox.drained()
        assert client.outbox.pending == []
    assert await texts(deployment) == ["once"]


async def test_a_timed_out_call_leaves_it(path: Path) -> None:
    async with ConvexClient(NOWHERE, outbox=path) as client:
        with pytest.raises(TimeoutError):
            await client.mutation("notes:add", {"text": "late"}, timeout=0.01)
        assert client.outbox.pending == []


async def use(client: ConvexClient) -> None:
    """All that a client of a file that can't be had says, it says at each door."""
    subscription = client.subscribe("notes:list")
    errors = [
        await raised(wait)
        for wait in (
            client.mutation("notes:touch"),
            client.connect(),
            anext(subscription),
            client.query("notes:list"),
            client.action("notes:echo"),
        )
    ]
    await client.close()
    assert len({str(error) for error in errors}) == 1
    raise errors[0]


async def raised(wait: Awaitable[object]) -> OutboxError:
    with pytest.raises(OutboxError) as caught:
        await wait
    return caught.value


async def test_one_owner_at_a_time(path: Path) -> None:
    async with ConvexClient(NOWHERE, outbox=path):
        with pytest.raises(OutboxError, match="another client has this outbox"):
            await use(ConvexClient(NOWHERE, outbox=path))
    async with ConvexClient(NOWHERE, outbox=path) as client:  # it is free again
        assert client.outbox.pending == []


async def test_another_process_is_refused(path: Path) -> None:
    open_it = (
        "import sys; from convex_async import ConvexClient; "
        "ConvexClient(sys.argv[2], outbox=sys.argv[1]).outbox.pending"
    )
    async with ConvexClient(NOWHERE, outbox=path):
        command = [sys.executable, "-c", open_it, str(path), NOWHERE]
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        _, errors = await process.communicate()
    assert b"another client has this outbox" in errors


async def test_a_refused_client_lets_go_of_nobodys_lock(path: Path) -> None:
    """On POSIX a process loses its locks on a file with any descriptor of it that it closes."""
    open_it = (
        "import sys; from convex_async import ConvexClient; "
        "ConvexClient(sys.argv[2], outbox=sys.argv[1]).outbox.pending"
    )
    async with ConvexClient(NOWHERE, outbox=path) as first:
        calls = await begin(first, "of the first")
        with pytest.raises(OutboxError, match="another client has this outbox"):
            await use(ConvexClient(NOWHERE, outbox=path))
        command = [sys.executable, "-c", open_it, str(path), NOWHERE]
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        _, errors = await process.communicate()
    assert b"another client has this outbox" in errors
    assert await ended(calls) == ["unknown"]


async def test_a_file_that_is_not_this_deployments(path: Path) -> None:
    async with ConvexClient(NOWHERE, outbox=path):
        pass
    with pytest.raises(OutboxError, match=r"the outbox of http://127\.0\.0\.1:9; give"):
        await use(ConvexClient("http://127.0.0.1:10", outbox=path))


async def test_a_file_that_is_no_outbox(path: Path) -> None:
    fill(path)
    with pytest.raises(OutboxError, match="not a database"):
        await use(ConvexClient(NOWHERE, outbox=path))


async def test_the_file_is_for_its_owners_eyes(path: Path) -> None:
    async with ConvexClient(NOWHERE, outbox=path):
        assert mode_of(path) == 0o600


async def test_without_outbox_there_is_none_to_look_at() -> None:
    with pytest.raises(LocalProtocolError, match="outbox=path"):
        _ = ConvexClient(NOWHERE).outbox


async def test_a_failure_that_nobody_awaits_is_kept(
    deployment: LocalDeployment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with ConvexClient(deployment.url, outbox=path) as client:
        calls = await begin(client, "")  # which notes:add refuses
        await client.close(drain=False)
        await ended(calls)
    async with ConvexClient(deployment.url, outbox=path) as client:
        await client.outbox.drained()
        (entry,) = client.outbox.failed
        assert (entry.path, entry.args) == ("notes:add", {"text": ""})
        assert "EMPTY" in (entry.failure or "")
        assert "failed" in caplog.text
        assert "failed" in repr(entry)
        client.outbox.discard(entry)
        assert client.outbox.failed == client.outbox.pending == []


async def test_discarding_what_somebody_awaits_tells_them(path: Path) -> None:
    async with ConvexClient(NOWHERE, outbox=path) as client:
        calls = await begin(client, "1", "2")
        client.outbox.discard(client.outbox.pending[0])
        with pytest.raises(OutboxError, match="will not run"):
            await calls[0]
        assert [entry.args["text"] for entry in client.outbox.pending] == ["2"]
        assert client.state.pending_requests == 1
    await ended(calls[1:])


async def test_a_mutation_runs_as_the_user_who_called_it(
    deployment: LocalDeployment, path: Path
) -> None:
    ann, bob = (deployment.issue_token(name) for name in ("ann", "bob"))
    async with ConvexClient(deployment.url, auth=ann, outbox=path) as client:
        calls = await begin(client, "by ann")
        await client.close(drain=False)
        await ended(calls)
    async with ConvexClient(deployment.url, auth=bob, outbox=path) as client:
        await client.mutation("notes:add", {"text": "by bob"})
        (entry,) = client.outbox.pending
        assert entry.user is not None
        assert entry.user.endswith("|ann")
        assert ann.encode() not in bytes_of(path)
        client.set_auth(deployment.issue_token("ann"))  # another token of the same user
        await client.outbox.drained()
        assert await client.query("users:me") == "ann"
    assert await texts(deployment) == ["by bob", "by ann"]


async def test_what_was_called_before_any_token_waits_for_one(
    deployment: LocalDeployment, path: Path
) -> None:
    async def never(*, force_refresh: bool) -> str | None:
        await asyncio.Event().wait()
        return None

    async with ConvexClient(deployment.url, auth=never, outbox=path) as client:
        calls = await begin(client, "early")
        assert client.outbox.pending[0].user is None
    await ended(calls)
    async with ConvexClient(deployment.url, outbox=path) as client:
        await client.mutation("notes:touch")  # as nobody, who did not call it
        assert len(client.outbox.pending) == 1
        client.set_auth(deployment.issue_token("ann"))
        await client.outbox.drained()
    assert await texts(deployment) == ["early"]


async def test_what_the_deployment_forgot_is_not_sent_again(
    deployment: LocalDeployment, path: Path
) -> None:
    async with ConvexClient(deployment.url, outbox=path) as client:
        await client.connect()
        calls = await begin(client, "old", "new")
        await client.close(drain=False)
        await ended(calls)
    with sqlite3.connect(path) as file:
        file.execute("UPDATE mutations SET sent_at = sent_at - 14 * 86400 WHERE request = 0")
    file.close()
    await deployment.run("notes:clear")
    async with ConvexClient(deployment.url, outbox=path) as client:
        await client.outbox.drained()
        (entry,) = client.outbox.failed
        assert entry.args["text"] == "old"
        assert "no longer knows" in (entry.failure or "")


STORM = """
import asyncio, sys
from convex_async import ConvexClient

async def main(url, path, begin):
    async with ConvexClient(url, outbox=path) as client:
        async def send(n):
            await client.mutation("notes:add", {"text": str(n)})
            print(n, flush=True)
        print("ready", flush=True)
        for n in range(begin, begin + 10**6, 16):
            await asyncio.gather(*map(send, range(n, n + 16)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_kill_9_in_a_storm_doubles_and_loses_nothing(
    deployment: LocalDeployment, path: Path
) -> None:
    acknowledged: set[str] = set()
    for round_number in range(4):
        command = [sys.executable, "-c", STORM, deployment.url, str(path), f"{round_number}0000000"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(0.05 + 0.03 * round_number)
        process.send_signal(signal.SIGKILL)
        printed, _ = await process.communicate()
        acknowledged |= {line.decode() for line in printed.splitlines(keepends=False)}
    async with ConvexClient(deployment.url, outbox=path) as client:
        left = {entry.args["text"] for entry in client.outbox.pending}
        await asyncio.wait_for(client.outbox.drained(), 20)
    counts = Counter(await texts(deployment))
    assert len(acknowledged) > 16
    assert set(counts.values()) == {1}
    assert acknowledged | left <= counts.keys()


@pytest.mark.parametrize("path", ["", ":memory:", "file:x?mode=memory"])
def test_an_outbox_is_a_file(path: str) -> None:
    with pytest.raises(ValueError, match="outlives the process"):
        outbox_path(path)


def test_any_path_of_a_file_will_do(tmp_path: Path) -> None:
    assert outbox_path(str(tmp_path / "box")) == outbox_path(tmp_path / "box") == tmp_path / "box"
