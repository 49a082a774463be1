"""What came of a function that ran."""

from __future__ import annotations

from dataclasses import dataclass

from convex_async.local.transactions.readset import ReadSet


@dataclass(frozen=True, slots=True)
class Failure:
    """A function's failure.

    Attributes:
        message: as clients are told it, the request id included.
        data: the wire bytes of a ConvexError's data; None for any other failure.
        text: as other functions, jobs and the log are told it: without a request id, and whole
            also where clients are told less.
    """

    message: str
    data: bytes | None
    text: str


@dataclass(frozen=True, slots=True)
class QueryRun:
    """A query's result as wire bytes, at a timestamp, and what it read."""

    result: bytes | Failure
    log_lines: list[str]
    journal: str | None
    read_set: ReadSet
    ts: int


@dataclass(frozen=True, slots=True)
class MutationRun:
    """A mutation's result as wire bytes, and its commit timestamp; None if it failed."""

    result: bytes | Failure
    log_lines: list[str]
    ts: int | None


@dataclass(frozen=True, slots=True)
class ActionRun:
    """An action's result as wire bytes."""

    result: bytes | Failure
    log_lines: list[str]
