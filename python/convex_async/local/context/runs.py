"""One run of a function, and what it reaches of the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any, Protocol, TypeVar

from convex_async.local import texts
from convex_async.local.auth.identity import Caller
from convex_async.local.clock import WallClock
from convex_async.local.context.cursors import Pages
from convex_async.local.definitions.functions import Declaration
from convex_async.local.store.files import Files
from convex_async.local.transactions.transaction import Transaction

T = TypeVar("T")

# Source: docs.convex.dev/production/state/limits.
MAX_LOG_LINES = 256
# Functions of a transaction that call one another. Source: convex-backend
# crates/common/src/knobs.rs, MAX_REACTOR_CALL_DEPTH.
MAX_DEPTH = 8
MAX_LOG_LINE_BYTES = 32_768


class Runs(Protocol):
    """What a run needs of the engine."""

    files: Files
    clock: WallClock

    async def call(self, kind: str, path: str, args: bytes, caller: Invocation) -> bytes:
        """The result of another function, run for this one.

        Raises:
            FunctionFailed, FunctionProblem: it failed; in a transaction its writes are undone.
        """
        ...

    def declaration(self, path: str) -> Declaration | None:
        """What is known of a function, or None.

        Raises:
            ValueError: it is no function path.
        """
        ...

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """The result of `work` in a transaction of its own, committed."""
        ...


@dataclass
class Run:
    """A run as a client asked for it, with all runs it makes in its transaction.

    Attributes:
        identity: who calls.
        job_id: of the scheduled job that it is or is part of, or None.
        log_lines: as clients are shown them, such as `[LOG] 'hello'`.
    """

    identity: Caller | None
    job_id: str | None = None
    log_lines: list[str] = field(default_factory=list[str])

    @cached_property
    def random(self) -> Random:
        """Other numbers for each run."""
        return Random()

    def log(self, message: object, level: str) -> None:
        """Note a value as a log line, within the limits."""
        self.log_line(f"[{level}] {repr(message) if isinstance(message, str) else message}")

    def log_line(self, line: str) -> None:
        """Note a line that has its level already, within the limits.

        Source: convex-backend crates/isolate/src/environment/udf/mod.rs, emit_log_line.
        """
        count = len(self.log_lines)
        if count < MAX_LOG_LINES - 1:
            self.log_lines.append(_cut(line))
        elif count == MAX_LOG_LINES - 1:
            self.log_lines.append(texts.LOG_OVERFLOW.format(limit=MAX_LOG_LINES))


def _cut(line: str) -> str:
    """The line, of whose message so many bytes are kept."""
    level, space, message = line.partition(" ")
    data = message.encode(errors="surrogatepass")
    if len(data) <= MAX_LOG_LINE_BYTES:
        return line
    kept = data[:MAX_LOG_LINE_BYTES].decode(errors="ignore")
    return f"{level}{space}{kept}{texts.TRUNCATED}"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one function, as a runtime is handed it.

    Attributes:
        declaration: of the function.
        args: the wire bytes of its argument object, which has been validated.
        arguments: the same, decoded: objects that are the function's own.
        run: who calls, and where log lines go.
        transaction: of a query or mutation; None in actions.
        pages: where a paginated query begins and what it leaves.
        engine: the way to other functions.
        depth: how many functions of this transaction are waiting for it.
    """

    declaration: Declaration
    args: bytes
    arguments: dict[str, Any]
    run: Run
    transaction: Transaction | None
    pages: Pages
    engine: Runs
    depth: int = 0
