from __future__ import annotations

import copy
import pickle
import re

import pytest

from convex_async import api
from convex_async.function_path import canonical_path


def test_attributes_make_paths() -> None:
    assert str(api.tasks.list) == "tasks:list"
    assert canonical_path(api.admin.users.get_by_id) == "admin/users:get_by_id"
    assert canonical_path(api.tasks) == "tasks:default"
    # Names of str's own methods are functions like others.
    assert [canonical_path(api.x.index), canonical_path(api.x.format)] == ["x:index", "x:format"]
    with pytest.raises(ValueError, match="function path"):
        canonical_path(api)


def test_a_reference_is_a_value() -> None:
    assert api.tasks.list == api.tasks.list
    assert api.tasks.list != api.tasks.get
    assert len({api.tasks.list, api.tasks.list}) == 1
    assert repr(api.tasks.list) == "api.tasks.list"
    assert pickle.loads(pickle.dumps(api.a.b)) == copy.deepcopy(api.a.b) == api.a.b


def test_hooks_of_python_and_notebooks_are_not_functions() -> None:
    for name in ("__wrapped__", "_repr_html_", "_ipython_display_"):
        assert not hasattr(api, name)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("tasks.list", "tasks:list"),
        ("api.tasks.list", "tasks:list"),
        ("admin.users.get", "admin/users:get"),
        ("tasks.ts", None),
        ("tasks.", None),
        (".list", None),
    ],
)
def test_dots_in_place_of_a_colon_are_told(written: str, meant: str | None) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(meant)) if meant else "extension"):
        canonical_path(written)
