"""Functions that run again and again, and when."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from convex_async.codec.values import encode_arguments
from convex_async.function_path import FunctionPath, canonical_path


@dataclass(frozen=True, slots=True)
class Interval:
    """So many seconds from one run to the next.

    Source: convex-backend crates/model/src/cron_jobs/next_ts.rs, compute_next_ts.
    """

    seconds: float

    def first(self, now: float) -> float:
        """When it runs first, seconds since the epoch: at once."""
        return now

    def next(self, previous: float, now: float) -> float:
        """When it runs after the run that was due at `previous`; what is past is skipped."""
        return previous + self.seconds * max(1, math.ceil((now - previous) / self.seconds))

    def __str__(self) -> str:
        return f"every {self.seconds} s"


@dataclass(frozen=True, slots=True)
class Clock:
    """Times of the clock, in UTC.

    Attributes:
        expression: the times in words.
        following: the first of them after one given, both seconds since the epoch.
    """

    expression: str
    following: Callable[[float], float]

    def first(self, now: float) -> float:
        """When it runs first, seconds since the epoch."""
        return self.following(now)

    def next(self, previous: float, now: float) -> float:
        """When it runs after the run that was due at `previous`; what is past is skipped."""
        return self.following(max(previous, now))

    def __str__(self) -> str:
        return self.expression


@dataclass(frozen=True, slots=True)
class Cron:
    """A function that runs again and again."""

    name: str
    path: FunctionPath
    args: bytes
    schedule: Interval | Clock


class Crons:
    """The crons of a deployment: `functions.crons`."""

    def __init__(self) -> None:
        self.all: dict[str, Cron] = {}

    def interval(
        self, name: str, path: str, args: dict[str, Any] | None = None, *, seconds: float
    ) -> None:
        """Run a mutation or action when it is new here, and every so many seconds from then on."""
        if seconds <= 0:
            raise ValueError(f"cron {name!r}: seconds is above zero, not {seconds}")
        self._add(name, path, args, Interval(seconds))

    def daily(
        self,
        name: str,
        path: str,
        args: dict[str, Any] | None = None,
        *,
        hour_utc: int,
        minute_utc: int,
    ) -> None:
        """Run a mutation or action every day at this time, in UTC."""
        if not (0 <= hour_utc < 24 and 0 <= minute_utc < 60):
            raise ValueError(f"cron {name!r}: there is no time {hour_utc}:{minute_utc}")

        def following(now: float) -> float:
            at = datetime.fromtimestamp(now, UTC)
            due = at.replace(hour=hour_utc, minute=minute_utc, second=0, microsecond=0)
            return (due if due > at else due + timedelta(days=1)).timestamp()

        self._add(name, path, args, Clock(f"daily at {hour_utc}:{minute_utc:02}", following))

    def cron(
        self, name: str, expression: str, path: str, args: dict[str, Any] | None = None
    ) -> None:
        """Run a mutation or action by a cron expression of five fields, in UTC.

        Raises:
            ValueError: the expression is malformed.
        """
        try:
            from cronsim import CronSim, CronSimError
        except ImportError as error:
            raise ImportError(
                "cron expressions need cronsim: pip install 'convex-async[local]'"
            ) from error
        try:
            CronSim(expression, datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(f"cron {name!r}: {expression!r} is malformed: {error}") from None
        self._add(
            name,
            path,
            args,
            Clock(
                expression,
                lambda now: next(CronSim(expression, datetime.fromtimestamp(now, UTC))).timestamp(),
            ),
        )

    def _add(
        self,
        name: str,
        path: str,
        args: dict[str, Any] | None,
        schedule: Interval | Clock,
    ) -> None:
        if name in self.all:
            raise ValueError(f"cron {name!r} is there already")
        self.all[name] = Cron(name, canonical_path(path), encode_arguments(args), schedule)
