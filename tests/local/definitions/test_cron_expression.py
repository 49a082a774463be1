"""Cron expressions: which times they match, by plain looking, and what is none."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.local.definitions.cron_expression import CronExpression

START = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)  # a Sunday


def times(expression: str, count: int, start: datetime = START) -> list[str]:
    parsed = CronExpression.parse(expression)
    found = []
    for _ in range(count):
        start = parsed.next(start)
        found.append(start.strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "matched"),
    [
        ("* * * * *", ["03-01 12:31", "03-01 12:32", "03-01 12:33"]),
        ("*/20 * * * *", ["03-01 12:40", "03-01 13:00", "03-01 13:20"]),
        ("5/20 * * * *", ["03-01 12:45", "03-01 13:05", "03-01 13:25"]),
        ("10-20/5,55 13 * * *", ["03-01 13:10", "03-01 13:15", "03-01 13:20", "03-01 13:55"]),
        ("0 22-1 * * *", ["03-01 22:00", "03-01 23:00", "03-02 00:00", "03-02 01:00"]),
        ("0 0 * JUN,jul *", ["06-01 00:00", "06-02 00:00"]),
        ("0 0 * * 0", ["03-08 00:00", "03-15 00:00"]),
        ("0 0 * * FRI-MON", ["03-02 00:00", "03-06 00:00", "03-07 00:00", "03-08 00:00"]),
        ("0 0 * * 5-1/2", ["03-06 00:00", "03-08 00:00", "03-13 00:00"]),
        ("0 0 * * L", ["03-07 00:00", "03-14 00:00"]),
        ("0 0 * * 5L", ["03-27 00:00", "04-24 00:00"]),
        ("0 0 * * mon#2", ["03-09 00:00", "04-13 00:00"]),
        ("0 0 * * TUE#5", ["03-31 00:00", "06-30 00:00"]),
        ("0 0 13 * FRI", ["03-06 00:00", "03-13 00:00", "03-20 00:00"]),
        ("0 0 2 * MON", ["03-02 00:00", "03-09 00:00"]),
        ("0 0 */10 * MON", ["03-02 00:00", "03-09 00:00", "03-11 00:00"]),
        ("0 0 L * *", ["03-31 00:00", "04-30 00:00"]),
        ("0 0 L-3 * *", ["03-28 00:00", "04-27 00:00"]),
        ("0 0 LW 5 *", ["05-29 00:00"]),
        ("0 0 L-1W 5 *", ["05-29 00:00"]),
        ("0 0 15W * *", ["03-16 00:00", "04-15 00:00", "05-15 00:00"]),
        ("0 0 1W 8 *", ["08-03 00:00"]),
        ("0 0 31W 1,2,5 *", ["05-29 00:00", "01-29 00:00", "05-31 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00", "02-29 00:00"]),
        ("59,* 3 * * *", ["03-02 03:00", "03-02 03:59"]),
        ("07 05\t* * *", ["03-02 05:07"]),
    ],
)
def test_what_is_matched(expression: str, matched: list[str]) -> None:
    assert times(expression, len(matched)) == matched


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "*/5 * * * * *",
        " * * * * *",
        "* * * * * ",
        "* * * *\n*",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "0 9 * * 7",
        "* * * * SUNDAY",
        "*/0 * * * *",
        "*/60 * * * *",
        "* * */31 * *",
        "1,,2 * * * *",
        "1-2-3 * * * *",
        "-1 * * * *",
        "1- * * * *",
        "+1 * * * *",
        "1.5 * * * *",
        "\u0661 * * * *",
        "? * * * *",
        "@daily",
        "* * L-31 * *",
        "* * L,5 * *",
        "* * 15W,16 * *",
        "* * 32W * *",
        "* * * * MON#6",
        "* * * * MON#0",
        "* * * * l",
        "0 0 31 2 *",
        "0 0 31W 2 *",
        "0 0 31 4,6,9,11 *",
    ],
)
def test_what_is_no_expression_or_never_matches(expression: str) -> None:
    with pytest.raises(ValueError, match=r"fields|is no|matches no time"):
        CronExpression.parse(expression)


@settings(max_examples=60, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1),
    hours=st.sets(st.integers(0, 23), min_size=1),
    days=st.none() | st.sets(st.integers(1, 28), min_size=1),
    weekdays=st.none() | st.sets(st.integers(0, 6), min_size=1),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),
)
def test_the_next_time_is_the_first_that_fits(
    minutes: set[int],
    hours: set[int],
    days: set[int] | None,
    weekdays: set[int] | None,
    start: datetime,
) -> None:
    start = start.replace(tzinfo=UTC)

    def field(values: set[int] | None) -> str:
        return "*" if values is None else ",".join(map(str, sorted(values)))

    def fits(at: datetime) -> bool:
        fitting = [
            values is not None and value in values
            for values, value in ((days, at.day), (weekdays, at.isoweekday() % 7))
        ]
        on_day = (days is None and weekdays is None) or any(fitting)
        return on_day and at.hour in hours and at.minute in minutes

    expression = f"{field(minutes)} {field(hours)} {field(days)} * {field(weekdays)}"
    following = CronExpression.parse(expression).next(start)
    assert fits(following)
    assert following > start
    at = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while at < following:
        assert not fits(at)
        # To the next minute, or hour if nothing in this one can fit, to be done soon.
        at += timedelta(minutes=1 if at.hour in hours or at.minute else 60)


def test_every_closest_weekday_is_one_and_near() -> None:
    parsed = [CronExpression.parse(f"0 0 {day}W * *") for day in range(1, 32)]
    for year in (2024, 2026):
        for month in range(1, 13):
            start = datetime(year, month, 1, tzinfo=UTC) - timedelta(minutes=1)
            for day in range(1, monthrange(year, month)[1] + 1):
                found = parsed[day - 1].next(start)
                assert found.isoweekday() <= 5
                assert (found.year, found.month) == (year, month)
                assert abs(found.day - day) <= 2
