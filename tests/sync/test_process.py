"""How blocking programs end: by themselves, by Ctrl-C, after fork; each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from convex_async.local import LocalDeployment


def start(program: str, deployment: LocalDeployment) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, "CONVEX_URL": deployment.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_program_need_not_close_anything(deployment: LocalDeployment) -> None:
    program = start(
        """
        from convex_async.sync import ConvexClient
        client = ConvexClient()
        subscription = client.subscribe("tasks:list")
        views = client.watch_all()
        print(next(subscription), len(next(views)))
        """,
        deployment,
    )
    began = time.monotonic()
    assert program.communicate(timeout=20) == ("[] 1\n", "")
    assert program.returncode == 0
    assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_wait_at_once(deployment: LocalDeployment) -> None:
    program = start(
        """
        from convex_async.sync import ConvexClient
        client = ConvexClient()
        try:
            for tasks in client.subscribe("tasks:list"):
                print(tasks, flush=True)
        except KeyboardInterrupt:
            print(client.query("tasks:list"))  # it works on
        """,
        deployment,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "[]\n"
    time.sleep(0.1)  # it goes on to wait; there is nothing to be told of that
    began = time.monotonic()
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=20) == ("[]\n", "")
    assert program.returncode == 0
    assert time.monotonic() - began < 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_makes_its_own_client(deployment: LocalDeployment) -> None:
    program = start(
        """
        import os, warnings
        # Of a fork beside a thread, which the client has. Since 3.15 the filter's error is raised.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        from convex_async.errors import LocalProtocolError
        from convex_async.sync import ConvexClient
        client = ConvexClient()
        client.query("tasks:list")
        if os.fork() == 0:
            try:
                client.query("tasks:list")
            except LocalProtocolError as error:
                print(error)
            print(ConvexClient().query("tasks:list"), flush=True)
            os._exit(0)
        os.wait()
        print(client.query("tasks:list"))
        """,
        deployment,
    )
    out, err = program.communicate(timeout=20)
    assert err == ""
    assert "make one in each process" in out
    assert out.count("[]") == 2


FOUR_WORKERS = """
import os, sys
from convex_async.sync import ConvexClient, ConvexHttpClient
client = {make}()  # at import, before the workers are forked
client.set_auth(sys.argv[1])
client.set_debug(False)
for number in range(4):
    if os.fork() == 0:
        print(client.mutation("tasks:create", {{"text": str(number)}}), flush=True)
        print(client.query("users:getCurrentUser"), flush=True)
        client.close()
        os._exit(0)
    os.wait()
print(len(client.query("tasks:list")))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("make", ["ConvexClient", "ConvexHttpClient"])
def test_a_client_made_before_a_fork_works_after_it(deployment: LocalDeployment, make: str) -> None:
    """Celery, and gunicorn with preloading: each worker is a session of its own."""
    program = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-c", FOUR_WORKERS.format(make=make)),
            deployment.issue_token("ada"),
        ],
        env={**os.environ, "CONVEX_URL": deployment.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = program.communicate(timeout=30)
    assert err == ""
    *ids, count = [line for line in out.splitlines() if line != "{'subject': 'ada'}"]
    assert len(set(ids)) == 4
    assert out.count("{'subject': 'ada'}") == 4
    assert count == "4"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_an_asynchronous_client_made_before_a_fork_loses_nothing(
    deployment: LocalDeployment,
) -> None:
    program = start(
        """
        import asyncio, os
        from convex_async import ConvexClient
        client = ConvexClient()
        async def work(number):
            async with client:
                return await client.mutation("tasks:create", {"text": str(number)})
        for number in range(4):
            if os.fork() == 0:
                print(asyncio.run(work(number)), flush=True)
                os._exit(0)
            os.wait()
        """,
        deployment,
    )
    out, err = program.communicate(timeout=30)
    assert err == ""
    assert len(set(out.split())) == 4


def test_a_client_that_nobody_uses_starts_no_thread(deployment: LocalDeployment) -> None:
    program = start(
        """
        import threading
        from convex_async.sync import ConvexClient, ConvexHttpClient
        clients = [ConvexClient(), ConvexHttpClient()]
        for client in clients:
            client.clear_auth()
            client.set_debug(True)
        print(threading.active_count(), clients[0].state.phase)
        """,
        deployment,
    )
    assert program.communicate(timeout=20) == ("1 idle\n", "")
