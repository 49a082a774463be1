"""One run of a function, and the runs that it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Protocol, TypeVar

from convex_async.local.auth.identity import Identity
from convex_async.local.store.files import Files
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

# Source: docs.convex.dev/production/state/limits.
MAX_LOG_LINES = 256


MAX_LOG_LINE_BYTES = 32_768


class Runs(Protocol):
    """What a context needs of the engine."""

    files: Files

    async def call(
        self, kind: str, path: str, args: bytes, run: Run, transaction: Transaction | None
    ) -> bytes:
        """The result of another function, run for this one."""
        ...

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work` in a transaction of its own, committed."""
        ...


@dataclass
class Run:
    """One run of a function: who called, what it logged, and an action's random numbers."""

    identity: Identity | None
    log_lines: list[str] = field(default_factory=list[str])

    @cached_property
    def random(self) -> Random:
        """Other numbers for each run."""
        return Random()

    def log(self, message: object, level: str) -> None:
        """Note a log line, within the limits."""
        if len(self.log_lines) < MAX_LOG_LINES:
            text = repr(message) if isinstance(message, str) else str(message)
            self.log_lines.append(f"[{level}] {text}"[:MAX_LOG_LINE_BYTES])
