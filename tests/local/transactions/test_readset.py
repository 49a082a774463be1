"""Which watches a commit is told to: those, and only those, whose ranges hold a key of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from convex_async.codec import encode
from convex_async.local import define_schema
from convex_async.local.definitions.schema import BY_ID
from convex_async.local.store.documents import Commit, Document, Write
from convex_async.local.store.index_key import index_key, successor
from convex_async.local.transactions.readset import ReadSet
from convex_async.local.transactions.watches import Watches

SCHEMA = define_schema({})
IDS = [f"id{number:02}" for number in range(12)]
POINTS = [index_key([document_id]) for document_id in IDS]

bounds = st.tuples(st.sampled_from([b"", *POINTS]), st.sampled_from([None, *POINTS]))
exact = st.sampled_from(POINTS).map(lambda low: (low, successor(low)))
reads = st.lists(bounds | exact, min_size=1, max_size=3)


def write(document_id: str, ts: int) -> Commit:
    wire = encode({"_id": document_id, "_creationTime": 1.0}, root="notes")
    return Commit.of(ts, [Write(None, Document.of("notes", document_id, wire))], SCHEMA)


def reading(ranges: list[tuple[bytes, bytes | None]]) -> ReadSet:
    read_set = ReadSet()
    for low, high in ranges:
        read_set.add("notes", BY_ID, low, high)
    return read_set


@settings(deadline=None, max_examples=150)
@given(
    st.lists(reads, max_size=8),
    st.sets(st.integers(0, 7)),
    st.lists(st.sampled_from(IDS), max_size=4),
)
def test_the_watches_told_are_those_that_overlap(
    all_reads: list[list[tuple[bytes, bytes | None]]], cancelled: set[int], written: list[str]
) -> None:
    watches = Watches()
    told: list[tuple[int, int]] = []
    open_sets: dict[int, ReadSet] = {}
    for number, ranges in enumerate(all_reads):
        open_sets[number] = reading(ranges)

        def tell(ts: int, number: int = number) -> None:
            told.append((number, ts))

        watch = watches.add(open_sets[number], tell)
        if number in cancelled:
            watch.cancel()
            watch.cancel()
            del open_sets[number]
    expected: set[tuple[int, int]] = set()
    for ts, document_id in enumerate(written, 1):
        commit = write(document_id, ts)
        for number in [n for n, reads in open_sets.items() if reads.overlaps(commit)]:
            expected.add((number, ts))
            del open_sets[number]
        watches.notify(commit)
    assert len(told) == len(expected)
    assert set(told) == expected


def test_of_a_thousand_ranges_a_commit_looks_at_the_one_it_touches() -> None:
    compared = 0

    class Key(bytes):
        """A bound that counts how often it is compared."""

        def __lt__(self, other: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bytes(self) < bytes(other)

        def __le__(self, other: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bytes(self) <= bytes(other)

        def __gt__(self, other: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bytes(self) > bytes(other)

        __hash__ = bytes.__hash__

    watches = Watches()
    told: list[int] = []
    keys = [Key(index_key([f"id{number:04}"])) for number in range(1001)]
    for number in range(1000):
        read_set = reading([(keys[number], keys[number + 1])])
        watches.add(read_set, lambda _ts, number=number: told.append(number))  # type: ignore[misc]
    watches.notify(write("id0000", 1))  # the tree is built by the first look
    compared = 0
    watches.notify(write("id0500", 2))
    assert told == [0, 500]
    assert 0 < compared < 200
