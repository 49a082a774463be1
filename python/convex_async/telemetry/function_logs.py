"""What functions log on the deployment, shown here when `set_debug(True)` asks for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from convex_async.shown import escaped

logger: logging.Logger = logging.getLogger("convex_async.functions")


def show_function_logs() -> None:
    """Make sure the lines are seen: on stderr, if nobody has set up logging."""
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def log_function_lines(path: str, lines: Sequence[str]) -> None:
    """Log the lines of one run, such as `[LOG] 'hello'`, with the function's path."""
    for line in lines:
        logger.info("[%s] %s", path, escaped(line))
