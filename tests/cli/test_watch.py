"""`convex-async watch` as a process: a line a state, a change, or a picture on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time

from convex_async.testing import ServedDeployment
from tests.cli.commands import command, environment
from tests.cli.flood import flooding


def test_a_line_a_state_until_ctrl_c(served: ServedDeployment) -> None:
    process = subprocess.Popen(
        command("watch", "notes:list", "--url", served.url),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == []
    served.tables["notes"].insert({"text": "x"})
    assert [note["text"] for note in json.loads(process.stdout.readline())] == ["x"]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "2 states seen" in errors


def test_a_line_a_change(served: ServedDeployment) -> None:
    process = subprocess.Popen(
        command("watch", "notes:list", "--changes", "--url", served.url),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["inserted"] == []
        new = served.tables["notes"].insert({"text": "x"})
        (inserted,) = json.loads(process.stdout.readline())["inserted"]
        assert inserted["_id"] == new
        served.tables["notes"] = []
        assert json.loads(process.stdout.readline())["deleted"] == [new]
    finally:
        process.kill()
        process.communicate()


def test_on_a_terminal_what_changed_is_marked_and_a_flood_is_kept_up_with(
    served: ServedDeployment,
) -> None:
    main, side = pty.openpty()
    process = subprocess.Popen(
        command("watch", "notes:list", "--url", served.url),
        env=environment(),
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    seen = b""
    try:
        while b"state 1" not in seen:
            seen += os.read(main, 65536)
        for number in range(300):
            served.tables["notes"] = [{"text": f"note {number}"}]
        while b"note 299" not in seen:
            seen += os.read(main, 65536)
        assert b"+ " in seen
        assert seen.count(b"state ") < 300  # states are left out, not the terminal
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        process.kill()
        process.wait()
        os.close(main)


def test_a_thousand_updates_a_second_are_kept_up_with_on_a_terminal() -> None:
    """The screen lags by a picture or two all the time, whatever comes between is left out."""
    rate, updates = 1000, 3000
    lags: list[float] = []
    with flooding(rate, updates) as flood:
        main, side = pty.openpty()
        process = subprocess.Popen(
            command("watch", "flood:rows", "--url", flood.url),
            env=environment(),
            stdin=side,
            stdout=side,
            stderr=side,
        )
        os.close(side)
        seen = b""
        try:
            began = 0.0
            while f"<{updates}>".encode() not in seen:
                data = os.read(main, 65536)
                now = time.monotonic()
                seen += data
                shown = [int(found) for found in re.findall(rb"<(\d+)>", data)]
                if shown:
                    began = began or now - shown[-1] / rate
                    lags.append(now - began - shown[-1] / rate)
            now = time.monotonic()
            assert flood.has_ended.wait(5)
            late = now - flood.ended_at
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
            process.wait()
            os.close(main)
    states = int(re.findall(rb"state (\d+)", seen)[-1])
    print(
        f"{updates / flood.seconds:.0f} updates/s: {states} of {updates} shown, {len(seen)} bytes, "
        f"the last after {late * 1e3:.0f} ms, the worst lag {max(lags) * 1e3:.0f} ms"
    )
    assert updates / flood.seconds > rate * 0.8  # whoever reads it did not hold it up
    assert 5 < states < updates / 10  # twenty a second at most
    assert len(seen) < 100 * 1024
    assert late < 2.0


def test_what_can_t_be_watched(served: ServedDeployment) -> None:
    for arguments, code in (
        (("nobody:here", "--url", served.url), 1),
        (("notes:list", "--url", "http://127.0.0.1:1"), 3),
    ):
        ran = subprocess.run(
            command("watch", *arguments),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert ran.returncode == code, ran.stderr
