"""What differs between two results, told from their wire bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from convex_async import _codec


class Diff(msgspec.Struct, frozen=True):
    """What differs between two lists of documents.

    Attributes:
        inserted: documents whose key is new, in the order of the list.
        updated: documents that differ from what they were, in the order of the list.
        deleted: the last value of each document that is gone, by its key.
        moved: the keys of documents that changed their place among the ones that stayed.
    """

    inserted: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    deleted: dict[Any, dict[str, Any]]
    moved: list[Any]

    def __bool__(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted or self.moved)


class ListDiffer:
    """Tells, text by text, what changed in a list of documents, and decodes only that.

    It keeps the last text, where its documents are, and their keys. Documents that two texts
    have in common, byte for byte and in order, cost a comparison of memory.

    Args:
        key: the field that tells documents apart; any value but an array or an object.
        at: the fields that lead from the value to the list.
    """

    def __init__(self, *, key: str = "_id", at: Sequence[str] = ()) -> None:
        self._differ = _codec.Differ(key, list(at))

    def next(self, current: bytes) -> Diff:
        """What changed since the last text; before the first, everything is inserted.

        Raises:
            TypeError: it is no list of objects with that field, or a key stands there twice;
                the last text stays the one before.
            InvalidValueError: a part that had to be decoded is no Convex value.
        """
        return Diff(*self._differ.next(current))


def diff(
    previous: bytes | None, current: bytes, *, key: str = "_id", at: Sequence[str] = ()
) -> Diff:
    """Compare two wire texts of a list of documents, decoding only those that differ.

    For a series of texts, a `ListDiffer` is many times faster: it knows the one before.

    Args:
        previous: None if there was nothing before.
        current: the wire text after.
        key: the field that tells documents apart.
        at: the fields that lead from the value to the list.

    Raises:
        TypeError: it is no list of objects with that field, or a key stands there twice.
        InvalidValueError: a part that had to be decoded is no Convex value.
    """
    differ = _codec.Differ(key, list(at))
    if previous is not None:
        differ.start(previous)
    return Diff(*differ.next(current))


def changed_fields(previous: bytes, current: bytes) -> tuple[dict[str, Any], list[str]]:
    """The fields of an object that are new or differ, with their values, and the names gone.

    Raises:
        TypeError: one of them is no object.
        InvalidValueError: one of them is no Convex value.
    """
    return _codec.changed_fields(previous, current)


def same(one: bytes, other: bytes) -> bool:
    """Whether two wire texts are one Convex value, however they are spelled.

    Raises:
        InvalidValueError: they differ, and one of them is no Convex value.
    """
    return _codec.same(one, other)
