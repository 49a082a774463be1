"""What changed in a list of documents, held against comparing the decoded lists."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convex_async import codec
from convex_async.errors import InvalidValueError
from convex_async.values import ConvexInt64
from tests.codec import oracle
from tests.codec.random_values import respelled, value


def document(key: Any, rng: random.Random) -> dict[str, Any]:
    return {"_id": key, "body": value(rng, 2), "z": rng.random()}


def evolve(rng: random.Random, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A next list: some documents inserted, changed, taken out, or put elsewhere."""
    after = list(documents)
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(after) + 1)
        match rng.randrange(4):
            case 0:
                after.insert(at, document(f"key{rng.randrange(10**6)}", rng))
            case 1 if at < len(after):
                after[at] = document(after[at]["_id"], rng)
            case 2 if at < len(after):
                del after[at : at + rng.choice([1, 1, 30])]
            case 3 if at < len(after):
                after.insert(rng.randrange(len(after)), after.pop(at))
    return after


def expected(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Any:
    old = {one["_id"]: one for one in before}
    new = {one["_id"]: one for one in after}
    return (
        [oracle.identity(one) for one in after if one["_id"] not in old],
        [
            oracle.identity(one)
            for one in after
            if one["_id"] in old and oracle.identity(old[one["_id"]]) != oracle.identity(one)
        ],
        [(one["_id"], oracle.identity(one)) for one in before if one["_id"] not in new],
    )


def found(diff: codec.Diff) -> Any:
    return (
        [oracle.identity(one) for one in diff.inserted],
        [oracle.identity(one) for one in diff.updated],
        [(key, oracle.identity(one)) for key, one in diff.deleted.items()],
    )


def check_moved(diff: codec.Diff, before: list[Any], after: list[Any]) -> None:
    """Without the moved ones, those that stayed keep their order; no shorter list would do."""
    old, new = [one["_id"] for one in before], [one["_id"] for one in after]
    stayed = set(old) & set(new) - set(diff.moved)
    assert [key for key in old if key in stayed] == [key for key in new if key in stayed]
    places = [old.index(key) for key in new if key in set(old)]
    runs: list[int] = []
    for index, place in enumerate(places):
        below = (runs[i] for i in range(index) if places[i] < place)
        runs.append(1 + max(below, default=0))
    assert len(diff.moved) == len(places) - max(runs, default=0)


@pytest.mark.parametrize("seed", range(20))
def test_a_series_of_lists_agrees_with_comparing_decoded_ones(seed: int) -> None:
    rng = random.Random(seed)
    differ = codec.ListDiffer()
    before: list[dict[str, Any]] = []
    text: bytes | None = None
    for _ in range(60):
        after = evolve(rng, before) if before else [document(f"k{i}", rng) for i in range(40)]
        now = codec.encode(after)
        if rng.random() < 0.3:
            now = respelled(rng, now)
        diff = differ.next(now)
        assert found(diff) == expected(before, after)
        check_moved(diff, before, after)
        alone = codec.diff(text, now)
        assert found(alone) == found(diff)
        assert alone.moved == diff.moved
        assert bool(diff) == bool(diff.moved or any(found(diff)))
        before, text = after, now


def test_every_single_change_in_a_small_list_is_found() -> None:
    before = [{"_id": key, "n": 0.0} for key in "abcdef"]
    for at in range(6):
        for after in (
            before[:at] + before[at + 1 :],
            [*before[:at], {"_id": "new", "n": 0.0}, *before[at:]],
            [*before[:at], {"_id": before[at]["_id"], "n": 1.0}, *before[at + 1 :]],
            before[at:] + before[:at],
            before[::-1],
            [],
        ):
            differ = codec.ListDiffer()
            differ.next(codec.encode(before))
            diff = differ.next(codec.encode(after))
            assert found(diff) == expected(before, after)
            check_moved(diff, before, after)


def test_a_list_within_objects_is_found_however_its_name_is_written() -> None:
    differ = codec.ListDiffer(at=("outer", "page"))
    texts = [
        b'{"a":{"page":[1]},"outer":{"page":[{"_id":"x"}],"z":"]"},"zz":0}',
        b'{"a":{"page":[2]},"outer":{"page":[{"_id":"x"},{"_id":"y"}],"z":"[{"},"zz":0}',
        b'{"outer":{"p\\u0061ge":[{"_id":"y"}]}}',
        b'{"outer":{"page":[{"_id":"y"}],"page":[]}}',
    ]
    changes = [differ.next(text) for text in texts]
    inserted = [[one["_id"] for one in change.inserted] for change in changes]
    assert inserted == [["x"], ["y"], [], []]
    assert [list(change.deleted) for change in changes] == [[], [], ["x"], ["y"]]


def test_keys_are_told_apart_as_convex_values() -> None:
    differ = codec.ListDiffer(key="k")
    keys: list[Any] = [1.0, True, ConvexInt64(1), "1", b"1", None]
    differ.next(codec.encode([{"k": key} for key in keys]))
    diff = differ.next(codec.encode([{"k": key, "new": 1} for key in keys]))
    assert [oracle.identity(one["k"]) for one in diff.updated] == [*map(oracle.identity, keys)]
    assert not diff.inserted
    assert not diff.deleted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":1}', "it is not a list"),
        (b"[1]", "item 0 is not an object"),
        (b'[{"_id":"a"},{"b":1}]', "a document lacks it"),
        (b'[{"_id":["a"]}]', "a key that is a list or an object"),
        (b'[{"_id":"a"},{"_id":"a"}]', '"a" stands there twice'),
        (b'[{"_id":"b"},{"_id":"kept"},{"_id":"b"}]', '"b" stands there twice'),
        (b'[{"_id":"kept"},{"_id":"kept","n":1}]', '"kept" stands there twice'),
    ],
)
def test_a_result_without_keyed_documents_is_a_type_error(text: bytes, reason: str) -> None:
    differ = codec.ListDiffer()
    differ.next(b'[{"_id":"kept"}]')
    with pytest.raises(TypeError, match="not a list of documents keyed by") as caught:
        differ.next(text)
    assert reason in str(caught.value)
    assert not differ.next(b'[{"_id":"kept"}]')  # the last good list stays the one before


def test_a_missing_field_on_the_way_is_a_type_error() -> None:
    with pytest.raises(TypeError, match='there is no field "page"'):
        codec.ListDiffer(at=("page",)).next(b'{"items":[]}')


def test_a_changed_document_that_is_no_value_is_refused_with_its_place() -> None:
    differ = codec.ListDiffer()
    differ.next(b'[{"_id":"a"},{"_id":"b","n":1}]')
    with pytest.raises(InvalidValueError) as caught:
        differ.next(b'[{"_id":"a"},{"_id":"b","n":1e400}]')
    assert caught.value.path == "value[1].n"
    assert caught.value.offset == 28


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_list_cut_anywhere_is_refused(cut: int) -> None:
    text = b'[{"_id":"a","s":"x\\n]"},{"_id":"b","n":[{}]}]'
    differ = codec.ListDiffer()
    differ.next(b'[{"_id":"a","s":"x\\n]"}]')
    with pytest.raises((InvalidValueError, TypeError)):
        differ.next(text[:-cut])


def test_the_fields_of_an_object_that_changed() -> None:
    before = b'{"a":1,"b":[1,2],"c":{"$integer":"AQAAAAAAAAA="},"gone":null}'
    after = b'{"a":1.0,"b":[1,3],"c":1,"new":"x"}'
    assert codec.changed_fields(before, after) == ({"b": [1, 3], "c": 1.0, "new": "x"}, ["gone"])
    with pytest.raises(TypeError):
        codec.changed_fields(b"[]", after)
