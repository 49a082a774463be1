"""The lines that functions log."""

import logging

import pytest

from convex_async.telemetry.function_logs import log_function_lines


def test_lines_come_with_their_path_and_move_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "convex_async.functions"):
        log_function_lines("notes:add", ["[LOG] 'a'", "[WARN] \x1b[2J"])
    assert caplog.messages[0] == "[notes:add] [LOG] 'a'"
    assert len(caplog.messages) == 2
    assert "\x1b" not in caplog.text
