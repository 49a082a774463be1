"""The example's console has the spans under one parent, the reconnect, and the metrics."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.sdk")


async def test_the_console_shows_calls_a_reconnect_and_metrics() -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.telemetry.traced"),
        cwd=Path(__file__).parents[2],
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await asyncio.wait_for(program.communicate(), 40)
    assert program.returncode == 0, errors.decode()
    text = output.decode()
    assert text.count('"name": "notes:add"') == 3
    assert text.count('"error.type": "ConvexError"') >= 1
    assert "EMPTY" not in text
    for name in (
        "a request of a user",
        "convex.disconnected",
        "convex.request_id",
        "rpc.client.call.duration",
        "convex.client.reconnects",
        "convex.client.updates",
    ):
        assert f'"name": "{name}"' in text or f'"{name}"' in text, name
