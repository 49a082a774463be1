"""What a subscription gives is told in a line."""

from __future__ import annotations

from convex_async.reactive.updates import Change


def test_a_change_is_told_by_its_counts() -> None:
    documents = [{"_id": str(number), "text": "secret" * 100} for number in range(3)]
    change = Change(documents, [], {"a": {"_id": "a"}}, ["b"], 7, b"[]", None)
    assert repr(change) == "<Change inserted=3 updated=0 deleted=1 moved=1 ts=7>"
    assert change.value() == []
