"""Names in Python for names in Convex."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_async.codegen.names import MAX_NAME, Names, attribute, is_plain, pascal, snake


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("channelId", "channel_id"),
        ("getByHTTPUrl", "get_by_http_url"),
        ("already_so", "already_so"),
        ("A", "a"),
        ("a b", "a_b"),
    ],
)
def test_snake(name: str, expected: str) -> None:
    assert snake(name) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("admin/users", "getById"), "AdminUsersGetById"),
        (("_storage",), "Storage"),
        (("1a",), "T1a"),
        (("$ ",), "T"),
    ],
)
def test_pascal(parts: tuple[str, ...], expected: str) -> None:
    assert pascal(*parts) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_id", "id"),
        ("class", "class_"),
        ("__init__", "init__"),
        ("a b", "a_b"),
        ("", "field_"),
        ("10", "field_10"),
        ("UNSET", "UNSET_"),
    ],
)
def test_attribute(name: str, expected: str) -> None:
    assert attribute(name, is_snake=False) == expected


@given(st.text(), st.booleans())
def test_an_attribute_is_always_one(name: str, is_snake: bool) -> None:
    found = attribute(name, is_snake=is_snake)
    assert found.isidentifier()
    assert not keyword.iskeyword(found)
    assert not found.startswith("_")


@given(st.lists(st.text(), min_size=1))
def test_a_type_s_name_is_bounded(parts: list[str]) -> None:
    name = pascal(*parts)
    assert name.isidentifier()
    assert name.isascii()
    assert len(name) <= MAX_NAME


def test_each_name_is_given_once() -> None:
    names = Names(["a"])
    assert [names.give(name) for name in ("a", "a", "b", "a2")] == ["a2", "a3", "b", "a22"]


def test_plain_names_may_stand_in_a_class() -> None:
    assert is_plain("text")
    assert is_plain("_id")
    for name in ("class", "__x", "a b", "1", "", "é"):
        assert not is_plain(name)
