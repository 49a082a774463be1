"""Ids in the calls of functions."""

import pytest

from convex_async.local.problems import FunctionProblem
from convex_async.local.typescript.ids import check_name, check_table


def test_an_id_of_another_table_is_refused() -> None:
    check_table("notes", "notes", "db.get")
    check_table("notes", None, "db.get")
    with pytest.raises(FunctionProblem, match=r'an Id<"users">, got Id<"notes"> instead'):
        check_table("notes", "users", "db.get")


def test_names_of_tables() -> None:
    check_name("notes")
    with pytest.raises(FunctionProblem):
        check_name("_notes-1")
