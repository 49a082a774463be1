"""Cron expressions of five fields, in UTC, as Convex reads them.

Source: get-convex/saffron, saffron/src/parse.rs and lib.rs. Weekdays are 0 (Sunday) to 6; ranges
may wrap, as in `FRI-MON`; a day is one of either field if both say something; `L`, `W` and `#` are
understood. Fields are divided by spaces or tabs, and nothing else may stand around them.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

# Days in which every expression that matches at all has matched: 29 February can be 8 years away,
# and the fifth of a weekday in it 40.
_HORIZON = 41 * 366
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_SEPARATOR = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)
_LAST_DAY = re.compile(r"L(?:-(?P<offset>[0-9]{1,3}))?(?P<weekday>W)?", re.ASCII)
_CLOSEST = re.compile(r"(?P<day>[0-9]{1,3})W", re.ASCII)
_LAST_WEEKDAY = re.compile(r"(?P<day>[0-9]{1,3}|[A-Za-z]{3})L", re.ASCII)
_NTH_WEEKDAY = re.compile(r"(?P<day>[0-9]{1,3}|[A-Za-z]{3})#(?P<nth>[0-9]{1,3})", re.ASCII)

Days = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the fields: its least and largest value, and the names that values have."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def value(self, text: str) -> int:
        """A value, by number or name."""
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.low
        return _number(self, text, self.low, self.high)


_MINUTE = _Kind("minute", 0, 59)
_HOUR = _Kind("hour", 0, 23)
_DAY = _Kind("day of the month", 1, 31)
_MONTH = _Kind("month", 1, 12, tuple(_MONTHS))
_WEEKDAY = _Kind("weekday", 0, 6, tuple(_WEEKDAYS))


@dataclass(frozen=True, slots=True)
class CronExpression:
    """When something runs.

    Attributes:
        days: of the month; None for all.
        weekdays: None for all.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days | None
    months: frozenset[int]
    weekdays: Days | None

    @classmethod
    def parse(cls, text: str) -> CronExpression:
        """Read an expression.

        Raises:
            ValueError: it is malformed, or never matches.
        """
        fields = _SEPARATOR.split(text)
        if len(fields) != 5:
            raise ValueError(f"{text!r} has {len(fields)} fields, not 5")
        minute, hour, day, month, weekday = fields
        made = cls(
            tuple(sorted(_values(_MINUTE, minute))),
            tuple(sorted(_values(_HOUR, hour))),
            None if day == "*" else _days(day),
            _values(_MONTH, month),
            None if weekday == "*" else _weekdays(weekday),
        )
        made.next(datetime(2000, 1, 1, tzinfo=UTC))
        return made

    def next(self, after: datetime) -> datetime:
        """The first time after one that is given, both in UTC.

        Raises:
            ValueError: there is none.
        """
        start = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for offset in range(_HORIZON):
            day = start.date() + timedelta(days=offset)
            if not self._has(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if at >= start:
                        return at
        raise ValueError("it matches no time")

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        if self.days is None:
            return self.weekdays is None or self.weekdays(day)
        return self.days(day) or (self.weekdays is not None and self.weekdays(day))


def _number(kind: _Kind, text: str, low: int, high: int) -> int:
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is no {kind.name} from {low} to {high}")
    return int(text)


def _values(kind: _Kind, text: str) -> frozenset[int]:
    """The values of a list of values, ranges and steps."""
    if text == "*":
        return frozenset(range(kind.low, kind.high + 1))
    found: set[int] = set()
    for place, item in enumerate(text.split(",")):
        span, slash, step = item.partition("/")
        start, dash, end = span.partition("-")
        if start == "*" and (place > 0 or slash) and not dash:
            first, last = kind.low, kind.high if slash else kind.low
        else:
            first = kind.value(start)
            last = kind.value(end) if dash else kind.high if slash else first
        size = kind.high - kind.low
        by = _number(kind, step, 1, size) if slash else 1
        length = (last - first) % (size + 1)
        found.update(
            (first + offset - kind.low) % (size + 1) + kind.low
            for offset in range(0, length + 1, by)
        )
    return frozenset(found)


def _days(text: str) -> Days:
    """What a field of days of the month matches."""
    if last := _LAST_DAY.fullmatch(text):
        offset = _number(_DAY, last["offset"], 1, 30) if last["offset"] else 0
        if last["weekday"]:
            return lambda day: day.day == _closest_weekday(day, _length(day) - offset)
        return lambda day: day.day == _length(day) - offset
    if closest := _CLOSEST.fullmatch(text):
        wanted = _DAY.value(closest["day"])
        return lambda day: day.day == _closest_weekday(day, wanted)
    values = _values(_DAY, text)
    return lambda day: day.day in values


def _weekdays(text: str) -> Days:
    """What a field of weekdays matches."""
    if text == "L":
        text = "SAT"
    if last := _LAST_WEEKDAY.fullmatch(text):
        wanted = _WEEKDAY.value(last["day"])
        return lambda day: _weekday(day) == wanted and day.day + 7 > _length(day)
    if nth := _NTH_WEEKDAY.fullmatch(text):
        wanted, number = _WEEKDAY.value(nth["day"]), _number(_WEEKDAY, nth["nth"], 1, 5)
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == number
    values = _values(_WEEKDAY, text)
    return lambda day: _weekday(day) in values


def _weekday(day: date) -> int:
    return day.isoweekday() % 7


def _length(day: date) -> int:
    """Days of the month."""
    return monthrange(day.year, day.month)[1]


def _closest_weekday(month: date, wanted: int) -> int | None:
    """The day from Monday to Friday next to a day of a month, within it."""
    if not 1 <= wanted <= _length(month):
        return None
    match _weekday(month.replace(day=wanted)):
        case 6:
            return 3 if wanted == 1 else wanted - 1
        case 0:
            return wanted - 2 if wanted == _length(month) else wanted + 1
        case _:
            return wanted
