"""Variables of functions: the user's go before the deployment's own."""

from __future__ import annotations

from typing import Any

import pytest

from convex_async.local.typescript.environment import Environment


def test_each_change_is_told_with_all_variables() -> None:
    told: list[dict[str, str]] = []
    variables = Environment()
    variables.on_change = lambda all: told.append(dict(all))
    variables.set_system({"CONVEX_SITE_URL": "a", "MODE": "system"})
    variables["MODE"] = "mine"
    del variables["MODE"]
    assert [seen["MODE"] for seen in told] == ["system", "mine", "system"]
    assert dict(variables) == {}


def test_a_value_is_a_text_and_stays_out_of_the_repr() -> None:
    variables = Environment()
    number: Any = 1
    with pytest.raises(TypeError, match="not int"):
        variables["N"] = number
    variables["KEY"] = "s3cret"
    assert repr(variables) == "<Environment of ['KEY']>"
