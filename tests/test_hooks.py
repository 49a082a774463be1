"""Ready-made hooks: what goes out comes in again as what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from convex_async import hooks


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("pair", "value", "wire"),
    [
        (hooks.datetime_ms, datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC), 1500.0),
        (hooks.uuid, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (hooks.decimal, Decimal("0.10"), "0.10"),
        (hooks.enum, Colour.RED, "red"),
        (hooks.path, Path("a/b"), "a/b"),
        (hooks.path, PurePosixPath("/a"), "/a"),
    ],
)
def test_a_value_goes_and_comes(pair: hooks.Hooks, value: Any, wire: Any) -> None:
    for each in (pair, hooks.all):
        assert each["enc_hook"](value) == wire
        made = each["dec_hook"](type(value), wire)
        assert made == value
        assert type(made) is type(value)


def test_a_time_zone_is_kept_as_the_moment() -> None:
    there = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert hooks.datetime_ms["enc_hook"](there) == hooks.datetime_ms["enc_hook"](
        there.astimezone(UTC)
    )


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no time zone.*datetime\.now\(UTC\)"):
        hooks.datetime_ms["enc_hook"](datetime(2026, 1, 1))


def test_what_no_hook_knows_is_said_to_be_so() -> None:
    with pytest.raises(NotImplementedError, match="range"):
        hooks.all["enc_hook"](range(3))
    with pytest.raises(NotImplementedError, match="range"):
        hooks.all["dec_hook"](range, 3)


def test_ones_own_goes_before() -> None:
    mine = hooks.pair(UUID, lambda value: value.hex, lambda cls, value: cls(hex=value))
    both = hooks.combine(mine, hooks.all)
    assert both["enc_hook"](UUID(int=1)) == "0" * 31 + "1"
    assert both["enc_hook"](Decimal(1)) == "1"
