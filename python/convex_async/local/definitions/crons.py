"""Functions that run again and again, and when."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from convex_async.codec.values import encode_arguments
from convex_async.function_path import FunctionPath, FunctionReference, canonical_path
from convex_async.local.definitions.cron_expression import CronExpression

DayOfWeek = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
DAYS_OF_WEEK: tuple[DayOfWeek, ...] = get_args(DayOfWeek)
_CRON_NAME = re.compile(r"[ -~]*", re.ASCII)


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
    """The crons of a deployment: `functions.crons`. All times are in UTC."""

    def __init__(self) -> None:
        self.all: dict[str, Cron] = {}

    def interval(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        seconds: int | None = None,
        minutes: int | None = None,
        hours: int | None = None,
    ) -> None:
        """Run a mutation or action when it is new here, and every so often from then on.

        Args:
            name: of printable ASCII, once among all crons.
            seconds, minutes, hours: one of these, a whole number from 1 on.

        Raises:
            ValueError: the name is taken, or something is out of range.
        """
        given = [
            (unit, every)
            for unit, every in ((1, seconds), (60, minutes), (3600, hours))
            if every is not None
        ]
        if len(given) != 1:
            raise ValueError(f"cron {name!r}: one of seconds, minutes and hours")
        ((unit, every),) = given
        self._add(name, path, args, Interval(unit * _whole(name, "an interval", every, 1)))

    def hourly(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        minute_utc: int,
    ) -> None:
        """Run a mutation or action every hour at this minute."""
        minute = _whole(name, "minute_utc", minute_utc, 0, 59)
        self._clock(name, f"hourly at minute {minute}", f"{minute} * * * *", path, args)

    def daily(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        hour_utc: int,
        minute_utc: int,
    ) -> None:
        """Run a mutation or action every day at this time."""
        hour, minute = _time(name, hour_utc, minute_utc)
        self._clock(name, f"daily at {hour}:{minute:02}", f"{minute} {hour} * * *", path, args)

    def weekly(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        day_of_week: DayOfWeek,
        hour_utc: int,
        minute_utc: int,
    ) -> None:
        """Run a mutation or action every week on this day, such as "monday", at this time."""
        if day_of_week not in DAYS_OF_WEEK:
            raise ValueError(f"cron {name!r}: a day of the week such as 'monday': {day_of_week!r}")
        hour, minute = _time(name, hour_utc, minute_utc)
        words = f"weekly on {day_of_week} at {hour}:{minute:02}"
        weekday = DAYS_OF_WEEK.index(day_of_week)
        self._clock(name, words, f"{minute} {hour} * * {weekday}", path, args)

    def monthly(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        day: int,
        hour_utc: int,
        minute_utc: int,
    ) -> None:
        """Run a mutation or action every month that has this day, at this time."""
        day = _whole(name, "day", day, 1, 31)
        hour, minute = _time(name, hour_utc, minute_utc)
        words = f"monthly on day {day} at {hour}:{minute:02}"
        self._clock(name, words, f"{minute} {hour} {day} * *", path, args)

    def cron(
        self,
        name: str,
        expression: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
    ) -> None:
        """Run a mutation or action by a cron expression of five fields.

        Weekdays are 0 (Sunday) to 6 or `SUN` to `SAT`; `L`, `W` and `#` are understood; ranges may
        wrap; of two day fields that are not `*`, one has to match.

        Raises:
            ValueError: the expression is malformed, or never matches.
        """
        self._clock(name, expression, expression, path, args)

    def _clock(
        self,
        name: str,
        words: str,
        expression: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None,
    ) -> None:
        try:
            parsed = CronExpression.parse(expression)
        except ValueError as error:
            raise ValueError(f"cron {name!r}: {expression!r} is malformed: {error}") from None

        def following(now: float) -> float:
            return parsed.next(datetime.fromtimestamp(now, UTC)).timestamp()

        self._add(name, path, args, Clock(words, following))

    def _add(
        self,
        name: str,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None,
        schedule: Interval | Clock,
    ) -> None:
        if not isinstance(name, str) or not _CRON_NAME.fullmatch(name):
            raise ValueError(f"cron {name!r}: use ASCII letters that are not control characters")
        if name in self.all:
            raise ValueError(f"cron {name!r} is there already")
        self.all[name] = Cron(name, canonical_path(path), encode_arguments(args), schedule)


def _whole(name: str, what: str, number: object, low: int, high: int | None = None) -> int:
    is_whole = isinstance(number, int | float) and float(number).is_integer()
    is_number = is_whole and not isinstance(number, bool)
    value = int(number) if is_number and isinstance(number, int | float) else low - 1
    if value < low or (high is not None and value > high):
        span = f"from {low} on" if high is None else f"from {low} to {high}"
        raise ValueError(f"cron {name!r}: {what} is a whole number {span}, not {number!r}")
    return value


def _time(name: str, hour: object, minute: object) -> tuple[int, int]:
    return _whole(name, "hour_utc", hour, 0, 23), _whole(name, "minute_utc", minute, 0, 59)
