"""The answers of HTTP actions, for code that blocks."""

import pytest

from convex_async import FunctionError
from convex_async.sync.answers import SHOWN, SiteResponse


def test_an_answer_that_is_fine() -> None:
    answer = SiteResponse(201, {}, '{"a":"ñ"}'.encode())
    answer.raise_for_status()
    assert answer.ok
    assert answer.text == '{"a":"ñ"}'
    assert answer.json() == {"a": "ñ"}


def test_a_refusal_shows_its_beginning() -> None:
    answer = SiteResponse(400, {}, b"x" * 1000 + b"\xff", "GET /a")
    assert not answer.ok
    with pytest.raises(FunctionError) as caught:
        answer.raise_for_status()
    assert "400" in str(caught.value)
    assert caught.value.message.endswith(": " + "x" * SHOWN)
